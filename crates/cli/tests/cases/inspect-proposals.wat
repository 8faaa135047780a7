;; What is not in every tool yet: compact imports, branch hints, annotations.
;; RUN: wat %s -o %t/a.wasm
;; RUN: validate %t/a.wasm
;; RUN: validate --wasm=-compact-imports %t/a.wasm
;; EXIT: 1
;; RUN: inspect %t/a.wasm
;; RUN: print %t/a.wasm
;; RUN: print --fold %t/a.wasm
;; RUN: inspect -
;; STDIN: (module (@custom "metadata.code.branch_hint" (before code) "\01\00\01\01\01\01") (func))
(module $m
  (import "env"
    (item "f" (func $f (param i32)))
    (item "g" (func $g (param i64))))
  (import "env" (item "a") (item "b") (global i32))
  (@custom "note" (after import) "here")
  (@producers (language "Rust" "1.95"))
  (func $"odd name" (@name "odder name") (param $x i32)
    (block $out
      (@metadata.code.branch_hint "\00") (br_if $out (local.get $x))
      (@metadata.code.branch_hint "\01") (if (local.get $x) (then (call $f (local.get $x)))))))
