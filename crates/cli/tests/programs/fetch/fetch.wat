;; Sends one request in the clear and gives the first bytes of the response, or the number of the error.
(module
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request"
    (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
    (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
    (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
    (func $subscribe (param i32) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get"
    (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.consume"
    (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read"
    (func $read (param i32 i64 i32)))
  (memory (export "memory") 4)
  (global $at (mut i32) (i32.const 4096))

  ;; Nothing is ever given back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and (i32.add (global.get $at) (i32.const 7)) (i32.const -8)))
    (global.set $at (i32.add (local.get $start) (local.get 3)))
    (local.get $start))

  ;; Results of the host go to 64, the result to 16: its case, then what it holds.
  (func $failed (param $code i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.store8 (i32.const 20) (local.get $code))
    (i32.const 16))

  (func (export "get")
    (param $authority i32) (param $authority_len i32) (param $path i32) (param $path_len i32)
    (result i32)
    (local $request i32) (local $future i32) (local $body i32)
    (local.set $request (call $request (call $fields)))
    (if (i32.or
          (i32.or
            (call $set_scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))
            (call $set_authority (local.get $request) (i32.const 1)
              (local.get $authority) (local.get $authority_len)))
          (call $set_path (local.get $request) (i32.const 1) (local.get $path) (local.get $path_len)))
      (then (return (call $failed (i32.const 255)))))
    (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 64))
    (if (i32.load8_u (i32.const 64))
      (then (return (call $failed (i32.load8_u (i32.const 72))))))
    (local.set $future (i32.load (i32.const 72)))
    (call $block (call $subscribe (local.get $future)))
    (call $get (local.get $future) (i32.const 64))
    (if (i32.load8_u (i32.const 80))
      (then (return (call $failed (i32.load8_u (i32.const 88))))))
    (call $consume (i32.load (i32.const 88)) (i32.const 64))
    (call $stream (i32.load (i32.const 68)) (i32.const 64))
    (call $read (i32.load (i32.const 68)) (i64.const 1000) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (return (call $failed (i32.const 254)))))
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (i32.load (i32.const 68)))
    (i32.store (i32.const 24) (i32.load (i32.const 72)))
    (i32.const 16)))
