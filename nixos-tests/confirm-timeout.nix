# Without a confirmation in time it is rolled back, and not banned.
{shared}: {
  name = "confirm-timeout";
  imports = [shared];

  testScript =
    import (shared + "/script.nix")
    + ''
      with subtest("nobody can confirm so fast"):
          said = deploy("next", 20, "--confirm-timeout 0.1s")
          assert "not confirmed" in said, said
          assert runs() == boots() == first

      with subtest("the same system, confirmed in time"):
          deploy("next", 0)
          assert runs() == boots() == system("next")
    '';
}
