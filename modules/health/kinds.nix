# What a check looks at: one option a kind, each typed. The fields are those of docs/FORMATS.md.
{lib}: let
  inherit (lib) mkOption types;
  need = type: description: mkOption {inherit type description;};
  with' = type: default: description: mkOption {inherit type default description;};
  maybe = type: description: with' (types.nullOr type) null description;
  absolute = types.strMatching "/.*" // {description = "absolute path";};
  unitName = types.strMatching "[A-Za-z0-9:_.@\\-]+\\.[a-z]+" // {description = "name of a unit with its suffix";};
  percent = types.ints.between 0 100;
  names = with' (types.listOf types.str) [];

  postgres = extensions: {
    program = need absolute "psql: an absolute path. It is run as {option}`user`.";
    socketDirectory = with' absolute "/run/postgresql" "Where the server's socket lies.";
    port = with' types.port 5432 "The server's port, which is part of the socket's name.";
    user = with' types.str "postgres" "The user, of the system and of the database, to ask as.";
    database = with' types.str "postgres" "The database to ask.";
    extensions = with' (types.listOf types.str) extensions "Extensions that must be installed in it, and whose libraries must load.";
  };

  kinds = {
    unit = {
      about = "a systemd unit is as a unit of its type should be: a service runs and is not restarted, a oneshot ended with success";
      fields.unit = need unitName "The unit, with its suffix: `nginx.service`.";
    };
    http = {
      about = "a GET request is answered as expected; redirects are answers";
      fields = {
        url = need (types.strMatching "https?://[^/[:space:]][^[:space:]]*" // {description = "http:// or https:// URL";}) "What is asked for. The manifest can be read by everybody: no password in it.";
        expectStatus = with' (types.nonEmptyListOf (types.ints.between 100 599)) [200] "Statuses that are accepted.";
        bodyRegex = maybe types.str "A regular expression that must match somewhere in the first 64 KiB of the body.";
        verifyTls = with' types.bool true "Whether the certificate must be valid for the name, by the machine's own authorities.";
      };
    };
    tcp = {
      about = "a TCP connection is accepted";
      fields = {
        host = with' types.str "localhost" "Name or address.";
        port = need types.port "Port.";
      };
    };
    port-closed = {
      about = "no TCP connection is accepted: it is refused, or nobody answers within the timeout";
      fields = {
        host = need types.str "Name or address.";
        port = need types.port "Port.";
      };
    };
    dns = {
      about = "a name is resolved";
      fields = {
        name = need types.str "The name.";
        record = with' (types.enum ["a" "aaaa" "any"]) "any" "Which addresses are asked for.";
        server = maybe types.str "Ask this server: an address, with a port or without. `null` resolves as the machine does.";
        expect = names "Addresses that must all be among the answers. Any answer will do if none is listed.";
      };
    };
    exec = {
      about = "a program exits with 0, in a cgroup of its own; what it prints is cut at 64 KiB";
      fields = {
        command = need (types.nonEmptyListOf types.str) "The program's absolute path and its arguments. No shell is involved.";
        user = maybe types.str "Run it as this user. `null` is a user that exists only for the check.";
        memoryMaxBytes = with' types.ints.positive 268435456 "Memory that it may use, in bytes.";
      };
    };
    file = {
      about = "a file is there, and as described";
      fields = {
        path = need absolute "The file.";
        is = with' (types.enum ["any" "file" "directory" "socket"]) "any" "What it must be.";
        contentRegex = maybe types.str "A regular expression that must match somewhere in the first 64 KiB.";
        maxAgeSeconds = maybe types.ints.unsigned "It must have been changed within so many seconds.";
      };
    };
    disk = {
      about = "a file system has room";
      fields = {
        path = need absolute "A path on it.";
        maxUsedPercent = with' percent 90 "The largest part of its blocks in use, in percent, as `df` counts.";
        maxInodesPercent = with' percent 90 "The largest part of its inodes in use, in percent.";
      };
    };
    load = {
      about = "the load average is not too high";
      fields = {
        minutes = with' (types.enum [1 5 15]) 5 "Over so many minutes.";
        maxPerCpu = with' types.numbers.positive 2.0 "The largest load average divided by the CPUs that are online.";
      };
    };
    memory = {
      about = "memory is left";
      fields = {
        minAvailablePercent = with' percent 5 "The least part of the memory that must be available, in percent.";
        maxSwapUsedPercent = maybe percent "The largest part of the swap space in use, in percent. `null` does not look.";
      };
    };
    journal = {
      about = "a pattern does not appear in the journal: since the switch while a system is deployed, otherwise within `withinSeconds`";
      fields = {
        pattern = need types.str "The regular expression that must not appear in a message.";
        unit = maybe unitName "Only messages of this unit.";
        priority = maybe (types.enum ["emerg" "alert" "crit" "err" "warning" "notice" "info" "debug"]) "Only messages of this priority and worse.";
        withinSeconds = with' types.ints.positive 3600 "How far back is looked where there was no switch, in seconds.";
      };
    };
    container = {
      about = "a container runs, and is healthy if it has a health check of its own";
      fields = {
        name = need types.str "The container.";
        program = need absolute "podman or docker: an absolute path.";
        user = maybe types.str "Whose container it is. `null` is root.";
      };
    };
    postgres = {
      about = "a PostgreSQL server answers, and extensions can be loaded";
      fields = postgres [];
    };
    timescaledb = {
      about = "the same, for TimescaleDB";
      fields = postgres ["timescaledb"];
    };
    mcp = {
      about = "an MCP server (streamable HTTP) answers initialize and lists its tools; none is called";
      fields = {
        url = need (types.strMatching "https?://.+") "The server.";
        tools = names "Tools that must be there.";
        tokenFile = maybe absolute "A file that holds a bearer token.";
      };
    };
  };
in
  lib.mapAttrs (kind: {
    about,
    fields,
  }:
    mkOption {
      type = types.nullOr (types.submodule {options = fields;});
      default = null;
      description = "Kind `${kind}`: ${about}.";
    })
  kinds
