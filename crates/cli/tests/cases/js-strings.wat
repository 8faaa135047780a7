;; Strings of JavaScript are there for programs that were compiled for a browser.
;; RUN: run --string-constants S --invoke length %s
;; RUN: run --invoke length %s
;; EXIT: 1
(module
  (import "wasm:js-string" "concat"
    (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "'" "sand" (global $sand (ref extern)))
  (import "S" "piper" (global $piper (ref extern)))
  (func (export "length") (result i32)
    (call $length (call $concat (global.get $sand) (global.get $piper)))))
