# `nix flake init -t`, which writes what `nqd init` writes.
{
  host = {
    path = ../templates/host;
    description = "One machine";
  };
  fleet = {
    path = ../templates/fleet;
    description = "Three machines with tags";
  };
  existing = {
    path = ../templates/existing;
    description = "What to add to a flake that you have";
  };
}
