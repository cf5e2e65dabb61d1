use super::*;
use crate::closure::system::diff::Given;
use crate::closure::system::sample::{facts, store, toplevel, unit};
use crate::closure::system::{NoSystem, SystemDiff, SystemFacts};
use crate::report::system_markdown;

fn side(letter: char, new: bool) -> SystemFacts {
    let pick = |a: &'static str, b: &'static str| if new { b } else { a };
    let kernel = format!("→ {}/bzImage", store(letter, pick("linux-6.12.4", "linux-6.12.9")));
    let service = |name: &str, text: &str| unit(letter, name, text);
    let mut files = vec![
        ("nixos-version".to_owned(), pick("26.05.1", "26.05.2").to_owned()),
        ("kernel".to_owned(), kernel),
        ("systemd".to_owned(), format!("→ {}", store(letter, "systemd-257.2"))),
        ("kernel-params".to_owned(), pick("quiet loglevel=4", "quiet loglevel=7 nohibernate").to_owned()),
        service(
            "nginx.service",
            pick(
                "[Unit]\nDescription=Nginx\n[Service]\nExecStart=/bin/nginx\nEnvironment=API_TOKEN=one\n",
                "[Unit]\nDescription=Nginx\n[Service]\nExecStart=/bin/nginx --with-a-very-long-option=that-does-not-fit-into-eighty-columns-at-all\nEnvironment=API_TOKEN=two\n",
            ),
        ),
        service(
            "sshd.service",
            &format!("[Service]\nExecStart={}/bin/sshd\n", store(letter, "openssh-10.0")),
        ),
        service(pick("gone.service", "came.service"), "[Service]\nExecStart=/x\n"),
        ("etc/hosts".to_owned(), format!("→ {}\n{}", store(letter, "hosts"), pick("a", "b"))),
        ("etc/issue".to_owned(), format!("→ {}\nhi", store(letter, "issue"))),
        ("etc/tmpfiles.d/x.conf".to_owned(), pick("d /a", "d /a\nd /b").to_owned()),
    ];
    if new {
        files.push((
            "etc/systemd/system/multi-user.target.wants/came.service".to_owned(),
            "→ ../came.service".to_owned(),
        ));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    facts(letter, &files)
}

fn comparison() -> Comparison {
    let diff = SystemDiff::between(&side('a', false), &side('b', true), Given::default());
    Comparison::Compared(Box::new(diff))
}

#[test]
fn at_eighty_columns() {
    let text = render(&comparison(), 80);
    assert!(text.lines().all(|l| console::measure_text_width(l) <= 80), "{text}");
    insta::assert_snapshot!(text, @r#"
System
  ~ NixOS 26.05.1 → 26.05.2
  ~ kernel linux-6.12.4 → linux-6.12.9
  ~ systemd systemd-257.2: rebuilt, same version
  ~ kernel parameters +loglevel=7 +nohibernate -loglevel=4
  ! reboot needed: kernel, kernel parameters changed
The switch (derived from the unit files: of these, what runs)
  ~ re-executes systemd
  - stops gone.service
  ~ restarts nginx.service, sshd.service
  + starts came.service
Units
  + came.service
  - gone.service
  ~ nginx.service: a masked value changed
      @@ -2,4 +2,4 @@
       Description=Nginx
       [Service]
      -ExecStart=/bin/nginx
      +ExecStart=/bin/nginx --with-a-very-long-option=that-does-not-fit-into-ei…
       Environment=API_TOKEN=‹masked›
    paths only: sshd.service
/etc
  ~ hosts: content
    paths only: issue
Users
    not known: neither `activate` nor userborn.service names a file that
      declares users
Tmpfiles
  + x.conf: d /b
Firewall
    not known: the system has no etc/nqd/system.json
"#);
}

#[test]
fn at_two_hundred_columns() {
    let text = render(&comparison(), 200);
    assert!(text.contains("that-does-not-fit-into-eighty-columns-at-all"), "{text}");
}

#[test]
fn markdown() {
    insta::assert_snapshot!(system_markdown::render(&comparison()), @r#"
#### system

- ✏️ `NixOS 26.05.1 → 26.05.2`
- ✏️ `kernel linux-6.12.4 → linux-6.12.9`
- ✏️ `systemd systemd-257.2: rebuilt, same version`
- ✏️ kernel parameters `+loglevel=7 +nohibernate -loglevel=4`
- ⚠️ reboot needed: `kernel, kernel parameters changed`

#### the switch (derived from the unit files: of these, what runs)

- ✏️ re-executes `systemd`
- ➖ stops `gone.service`
- ✏️ restarts `nginx.service, sshd.service`
- ➕ starts `came.service`

#### units

- ➕ `came.service`
- ➖ `gone.service`
<details><summary>✏️ <code>nginx.service: a masked value changed</code></summary>

```diff
@@ -2,4 +2,4 @@
 Description=Nginx
 [Service]
-ExecStart=/bin/nginx
+ExecStart=/bin/nginx --with-a-very-long-option=that-does-not-fit-into-eighty-columns-at-all
 Environment=API_TOKEN=‹masked›
```

</details>

- paths only: `sshd.service`

#### /etc

- ✏️ `hosts: content`
- paths only: `issue`

#### users

- not known: ``neither `activate` nor userborn.service names a file that declares users``

#### tmpfiles

- ➕ `x.conf: d /b`

#### firewall

- not known: `the system has no etc/nqd/system.json`
"#);
}

#[test]
fn nothing_to_say_and_nothing_to_compare() {
    let why = NoSystem::NotNixos { path: toplevel('a'), lacks: "nixos-version".into() };
    let empty = Comparison::Empty([Some(why), None]);
    insta::assert_snapshot!(render(&empty, 80), @r#"
System not compared
  ! old not a NixOS system:
      /nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-web-1 has no
      `nixos-version`
"#);
    assert!(system_markdown::render(&empty).contains("nixos-version"));
}

#[test]
fn what_a_system_says_is_text() {
    let evil = |letter, text: &str| {
        let (path, text) = unit(letter, "a\u{1b}[2J.service", text);
        facts(letter, &[(&path, &text), ("etc/x`y<b>", "z")])
    };
    let diff = SystemDiff::between(
        &evil('a', "A=1\n"),
        &evil('b', "A=\u{1b}]0;x\u{7}\n```\n# title\n"),
        Given::default(),
    );
    let comparison = Comparison::Compared(Box::new(diff));
    let (text, markdown) = (render(&comparison, 80), system_markdown::render(&comparison));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    assert!(!markdown.contains('\u{1b}') && markdown.contains("````diff"), "{markdown}");
}
