# What the tests share: an operator, a target, and words for what they do. A system to deploy is a specialisation of the
# target, which has it in its store already.
{
  imports = [./operator.nix ./target.nix];
}
