{
  services.postgresql.enable = true;

  quickDeploy.deploy = {
    targetHost = "192.0.2.2";
    tags = ["back"];
    # A database may take its time; then so may the connection.
    confirmTimeout = 120;
  };
}
