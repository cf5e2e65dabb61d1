# quickDeploy.deploy is read without quickDeploy.enable, with the names and types of src/deploy/facts.rs.
{
  lib,
  evaluate,
  ours,
  ...
}: let
  of = modules: (evaluate ([ours] ++ modules)).config.quickDeploy.deploy;
in {
  "nothing is said by default" = {
    got = of [];
    want = {
      targetHost = null;
      targetUser = null;
      port = null;
      buildOn = null;
      escalate = null;
      confirmTimeout = null;
      tags = [];
    };
  };
  "what is said is read, and tags of several modules add up" = {
    got = of [
      {
        quickDeploy.deploy = {
          targetHost = "web.example.org";
          targetUser = "deploy";
          port = 2222;
          buildOn = "ssh://builder";
          escalate = "run0";
          confirmTimeout = 2.5;
          tags = ["web"];
        };
      }
      {quickDeploy.deploy.tags = lib.mkAfter ["eu"];}
    ];
    want = {
      targetHost = "web.example.org";
      targetUser = "deploy";
      port = 2222;
      buildOn = "ssh://builder";
      escalate = "run0";
      confirmTimeout = 2.5;
      tags = ["web" "eu"];
    };
  };
}
