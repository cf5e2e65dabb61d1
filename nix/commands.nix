# nqd's commands that are apps of the flake, and what each is for. A test compares them with `nqd --help`.
{
  cancel = "Roll the running transaction back now";
  check = "Evaluate and build a flake's checks, and say which failed";
  deploy = "Deploy, prove healthy, commit or roll back";
  diff = "Show what differs between two systems";
  doctor = "Say what needs a person, and the commands for it";
  follow = "Attach to a running transaction, or show the last one";
  health = "Run the declared health checks now";
  history = "Show the record of past transactions";
  init = "Write a flake to begin with, or what to add to one";
  plan = "Show what a deployment would do";
  rollback = "Go back to an earlier system, by a transaction like any other";
  snapshot = "Write what a system consists of, to compare it elsewhere or later";
  status = "Show what a machine runs and boots, and its last transaction";
  test = "Boot a host's virtual machine and run its health checks there";
  unban = "Let systems that are known to be bad be deployed again";
  why = "Show why two systems differ: the root causes of rebuilds";
}
