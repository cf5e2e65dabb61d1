# Two services that want the same port: one of them would not start, and the deployment would be rolled back. Only
# services whose ports their options tell.
{
  config,
  lib,
  options,
  ...
}: let
  inherit (config) services;
  has = lib.hasAttrByPath;
  on = name: has ["services" name "enable"] options && services.${name}.enable;
  listen = option: address: port: {inherit option address port;};
  everywhere = address: lib.elem address ["" "0.0.0.0" "::" "[::]" "*"];
  named = address:
    if lib.elem address ["localhost" "::1" "[::1]"]
    then "127.0.0.1"
    else address;

  grafana = services.grafana.settings.server;
  qdrant = services.qdrant.settings.service;
  nginx = lib.unique (lib.concatMap (host: map (l: listen "services.nginx.virtualHosts" (l.addr or "") l.port) (lib.filter (l: l.port or null != null) host.listen)) (lib.attrValues services.nginx.virtualHosts));
  # nginx's own default: where neither a host nor nginx names addresses.
  plain =
    services.nginx.defaultListen
    == []
    && lib.any everywhere services.nginx.defaultListenAddresses
    && lib.any (host: host.listen == [] && host.listenAddresses == [] && !host.onlySSL) (lib.attrValues services.nginx.virtualHosts);
  httpd = host:
    if host.listen != []
    then map (l: listen "services.httpd.virtualHosts" l.ip l.port) host.listen
    else lib.optionals (!host.onlySSL) (map (address: listen "services.httpd.virtualHosts" address 80) host.listenAddresses);
  ssh = services.openssh;
  sshd =
    if ssh.listenAddresses == []
    then map (listen "services.openssh.ports" "") ssh.ports
    else
      lib.concatMap (l:
        map (listen "services.openssh.listenAddresses" (
          if l.addr == null
          then ""
          else l.addr
        )) (
          if l.port == null
          then ssh.ports
          else [l.port]
        ))
      ssh.listenAddresses;

  listening =
    lib.optionals (on "openssh") sshd
    ++ lib.optionals (on "nginx") (nginx ++ lib.optional plain (listen "services.nginx.defaultHTTPListenPort" "" services.nginx.defaultHTTPListenPort))
    ++ lib.optionals (on "httpd") (lib.unique (lib.concatMap httpd (lib.attrValues services.httpd.virtualHosts)))
    ++ lib.optional (on "postgresql") (listen "services.postgresql.settings.port" (
        if services.postgresql.enableTCPIP
        then ""
        else "localhost"
      )
      services.postgresql.settings.port)
    ++ lib.optional (on "prometheus") (listen "services.prometheus.port" services.prometheus.listenAddress services.prometheus.port)
    ++ lib.optional (on "cockpit") (listen "services.cockpit.port" "" services.cockpit.port)
    ++ lib.optional (on "grafana") (listen "services.grafana.settings.server.http_port" grafana.http_addr grafana.http_port)
    ++ lib.optional (on "ollama") (listen "services.ollama.port" services.ollama.host services.ollama.port)
    ++ lib.optional (on "open-webui") (listen "services.open-webui.port" services.open-webui.host services.open-webui.port)
    ++ lib.optionals (on "qdrant") [
      (listen "services.qdrant.settings.service.http_port" qdrant.host qdrant.http_port)
      (listen "services.qdrant.settings.service.grpc_port" qdrant.host qdrant.grpc_port)
    ];

  meet = a: b: a.port == b.port && a.option != b.option && (everywhere a.address || everywhere b.address || named a.address == named b.address);
  clashes = lib.concatLists (lib.imap0 (i: a: map (b: {inherit a b;}) (lib.filter (meet a) (lib.drop (i + 1) listening))) listening);
in {
  config = lib.mkIf config.quickDeploy.enable {
    assertions =
      map ({
        a,
        b,
      }: {
        assertion = false;
        message = "${a.option} and ${b.option} both want port ${toString a.port}: one of the two services cannot start, and every deployment would be rolled back. Give one of them another port or another address.";
      })
      clashes;
  };
}
