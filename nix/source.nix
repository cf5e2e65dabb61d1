# What is built and tested: the files below the paths of source.txt, and no others. scripts/test-source builds the same.
{lib}: let
  lines = lib.filter (line: line != "") (lib.splitString "\n" (lib.readFile ./source.txt));
in
  lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions (map (path: ../. + "/${path}") lines);
  }
