# docs/options.md, from the options themselves. Pure: the same text from real nixpkgs and from the test harness.
{
  lib,
  options,
}: let
  visible = lib.filter (o: o.visible && !o.internal) (lib.optionAttrSetToDocList options.quickDeploy);
  # The names inside `quickDeploy` alone; `_module` is of no interest.
  wanted = lib.filter (o: !lib.hasInfix "_module" o.name) visible;
  text = value:
    if lib.isString value
    then value
    else value.text or (lib.generators.toPretty {} value);
  code = value: let
    lines = text value;
  in
    if lib.hasInfix "\n" lines
    then "\n\n```nix\n${lib.trim lines}\n```"
    else " `${lines}`";
  entry = o:
    lib.concatStrings (
      ["\n## ${lib.replaceStrings ["<" ">"] ["‹" "›"] o.name}\n\n${lib.trim (plain (text o.description))}\n\n- type: ${o.type}\n"]
      ++ lib.optional (o ? default) "- default:${code o.default}\n"
      ++ lib.optional (o ? example) "- example:${code o.example}\n"
    );
  # Roles of nixpkgs' manual mean nothing here.
  plain = lib.replaceStrings ["{option}" "{manpage}"] ["" ""];
in
  "# Options\n\nOf `nixosModules.default`. Made from `modules/` by `NQD_RENDER=1 cargo test --test modules`; not edited by hand.\n"
  + lib.concatMapStrings entry wanted
