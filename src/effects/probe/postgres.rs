//! `postgres`: a PostgreSQL server answers, and what a database has of extensions can be used.
//!
//! psql asks, as the user of the same name on the machine. Of an extension, the database's catalogue must have it, and
//! every library that its functions name there must load. That catches what upgrades break: a database keeps the
//! version that it was given, and names a library that the new system may not have.

use std::time::Duration;

use super::{Services, exec};
use crate::health::ProbeResult;
use crate::health::kind::Postgres;

/// What psql may take.
const MEMORY: u64 = 256 << 20;

pub(super) fn probe(services: &dyn Services, name: &str, postgres: &Postgres, time: Duration) -> ProbeResult {
    let argv = argv(postgres);
    let millis = time.as_millis();
    let env = [
        format!("PGCONNECT_TIMEOUT={}", time.as_secs().max(2)),
        // A question that waits for a lock must not go on when we do not.
        format!("PGOPTIONS=-c statement_timeout={millis}"),
        "PGAPPNAME=nqd-guard".to_owned(),
    ];
    let program = exec::Program { argv: &argv, user: Some(&postgres.user), memory: MEMORY, env: &env };
    match exec::run(services, name, &program, time) {
        Ok(out) => judge(postgres, &String::from_utf8_lossy(&out.stdout)),
        Err(result) => result,
    }
}

/// Nobody's ~/.psqlrc, no password, and the first error ends it. The names were validated, and need no quoting.
fn argv(postgres: &Postgres) -> Vec<String> {
    let mut argv = vec![
        postgres.program.display().to_string(),
        "--no-psqlrc".to_owned(),
        "--no-password".to_owned(),
        "--quiet".to_owned(),
        "--no-align".to_owned(),
        "--tuples-only".to_owned(),
        "--set=ON_ERROR_STOP=1".to_owned(),
        "--set=VERBOSITY=terse".to_owned(),
        format!("--host={}", postgres.socket_directory.display()),
        format!("--port={}", postgres.port),
        format!("--username={}", postgres.user),
        format!("--dbname={}", postgres.database),
        format!("--command={SERVER}"),
    ];
    if !postgres.extensions.is_empty() {
        let names = postgres.extensions.iter().map(|e| format!("'{e}'")).collect::<Vec<_>>().join(",");
        argv.push(format!("--command={}", INSTALLED.replace("NAMES", &names)));
        // Inside a string, quotes are doubled.
        argv.push(format!("--command={}", LOAD.replace("NAMES", &names.replace('\'', "''"))));
    }
    argv
}

/// One line.
const SERVER: &str = "SELECT 'server ' || current_setting('server_version')";
/// A line for each extension that the database has: its name, its version, and the version that a new one would get.
const INSTALLED: &str = "SELECT 'extension ' || e.extname || ' ' || e.extversion || ' ' || \
    coalesce(a.default_version, '-') FROM pg_catalog.pg_extension e \
    LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname WHERE e.extname IN (NAMES)";
/// Loads every library that functions of the extensions name (`pg_proc.probin`); `deptype` `e` is "member of".
const LOAD: &str = "DO 'DECLARE library text; BEGIN FOR library IN SELECT DISTINCT p.probin \
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.deptype = ''e'' \
    AND d.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass \
    AND d.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass \
    JOIN pg_catalog.pg_proc p ON p.oid = d.objid \
    WHERE e.extname IN (NAMES) AND p.probin IS NOT NULL \
    LOOP EXECUTE pg_catalog.format(''LOAD %L'', library); END LOOP; END'";

/// Reads what psql printed.
fn judge(postgres: &Postgres, output: &str) -> ProbeResult {
    let Some(server) = output.lines().find_map(|l| l.strip_prefix("server ")) else {
        return ProbeResult::unknown(format!(
            "psql printed no version of the server: {:?}",
            output.lines().next()
        ));
    };
    let found = |name: &str| {
        let of_name =
            |l: &str| Some(l.strip_prefix("extension ")?.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
        output.lines().find_map(of_name)
    };
    if let Some(missing) = postgres.extensions.iter().find(|e| found(e).is_none()) {
        return ProbeResult::fail(format!("the database {} has no extension {missing}", postgres.database));
    }
    let words = postgres.extensions.iter().filter_map(|name| {
        let versions = found(name)?;
        let (has, new) = versions.split_once(' ')?;
        let news = if new == has || new == "-" { String::new() } else { format!(" ({new} is there)") };
        Some(format!(", {name} {has}{news}"))
    });
    ProbeResult::pass(format!("PostgreSQL {server}{}", words.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus::{Fail, Pass, Unknown};

    fn postgres(extensions: &[&str]) -> Postgres {
        let text = r#"{"program":"/bin/psql","database":"metrics"}"#;
        let extensions = extensions.iter().map(|e| (*e).to_owned()).collect();
        Postgres { extensions, ..serde_json::from_str(text).unwrap() }
    }

    #[test]
    fn what_psql_says() {
        let both = "server 15.18 (Debian)\nextension timescaledb 2.10.0 2.14.2\nextension hstore 1.8 1.8\n";
        let rows: [(&[&str], &str, _); 6] = [
            (&[], "server 15.18\n", Pass),
            (&["timescaledb", "hstore"], both, Pass),
            (&["timescale"], both, Fail),
            (&["vector"], both, Fail),
            (&[], "", Unknown),
            (&["hstore"], "extension hstore 1.8 1.8\n", Unknown),
        ];
        for (extensions, output, expected) in rows {
            let got = judge(&postgres(extensions), output);
            assert_eq!(got.status, expected, "{extensions:?}: {}", got.message);
        }
        assert_eq!(
            judge(&postgres(&["timescaledb", "hstore"]), both).message,
            "PostgreSQL 15.18 (Debian), timescaledb 2.10.0 (2.14.2 is there), hstore 1.8"
        );
        assert_eq!(
            judge(&postgres(&["vector"]), both).message,
            "the database metrics has no extension vector"
        );
    }

    #[test]
    fn without_extensions_the_server_alone_is_asked() {
        insta::assert_snapshot!(argv(&postgres(&[])).join(" "), @"/bin/psql --no-psqlrc --no-password --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse --host=/run/postgresql --port=5432 --username=postgres --dbname=metrics --command=SELECT 'server ' || current_setting('server_version')");
        let with = argv(&postgres(&["hstore", "uuid-ossp"]));
        assert_eq!(with.len(), argv(&postgres(&[])).len() + 2);
        assert!(with.last().unwrap().contains("IN (''hstore'',''uuid-ossp'')"));
    }
}
