;; A component that connects to port 9 of this machine is let do so by a rule that covers it, and by nothing else.
;; RUN: run %s
;; EXIT: 1
;; RUN: run --allow-net tcp://127.0.0.1:9 %s
;; RUN: run --allow-net tcp://127.0.0.0/8:1-99 %s
;; RUN: run --allow-net tcp://127.0.0.1:10 %s
;; EXIT: 1
;; RUN: run --allow-net udp://127.0.0.1:9 %s
;; EXIT: 1
;; RUN: run --allow-net * %s
;; EXIT: 1
;; RUN: run --allow-listen tcp://127.0.0.1:9 %s
;; EXIT: 1
;; RUN: run --allow-net tcp://127.0.0.1:99999 %s
;; EXIT: 2
;; RUN: run --allow-listen example.com:80 %s
;; EXIT: 2
;; RUN: run --allow-resolve a..b %s
;; EXIT: 2
;; RUN: run --allow-http ftp://example.com %s
;; EXIT: 2
;; RUN: run --kv default=disk %s
;; EXIT: 2
;; RUN: run --config color %s
;; EXIT: 2
;; RUN: run --allow-net tcp://127.0.0.0/8:1-99 --learn %t/learned.toml %s
;; RUN: policy show %t/learned.toml
;; RUN: run --policy %t/learned.toml %s
;; RUN: policy diff %t/learned.toml %s
(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type (sub resource)))
    (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))
    (type $ipv4 (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $ipv4-address (eq $ipv4)))
    (type $ipv6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $ipv6-address (eq $ipv6)))
    (type $place4 (record (field "port" u16) (field "address" $ipv4-address)))
    (export "ipv4-socket-address" (type $ipv4-socket-address (eq $place4)))
    (type $place6 (record (field "port" u16) (field "flow-info" u32)
      (field "address" $ipv6-address) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $ipv6-socket-address (eq $place6)))
    (type $place (variant (case "ipv4" $ipv4-socket-address) (case "ipv6" $ipv6-socket-address)))
    (export "ip-socket-address" (type (eq $place)))))
  (alias export $network "network" (type $network-type))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (alias export $network "ip-socket-address" (type $place))
  (import "wasi:sockets/instance-network@0.2.0" (instance $instance-network
    (export "network" (type $network (eq $network-type)))
    (export "instance-network" (func (result (own $network))))))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "network" (type $network (eq $network-type)))
    (export "error-code" (type $error-code (eq $code)))
    (export "ip-socket-address" (type $ip-socket-address (eq $place)))
    (export "tcp-socket" (type $tcp-socket (sub resource)))
    (export "[method]tcp-socket.start-connect" (func
      (param "self" (borrow $tcp-socket)) (param "network" (borrow $network))
      (param "remote-address" $ip-socket-address) (result (result (error $error-code)))))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $tcp-create-socket
    (export "error-code" (type $error-code (eq $code)))
    (export "ip-address-family" (type $ip-address-family (eq $family)))
    (export "tcp-socket" (type $tcp-socket (eq $socket)))
    (export "create-tcp-socket" (func (param "address-family" $ip-address-family)
      (result (result (own $tcp-socket) (error $error-code)))))))

  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $the-network (canon lower (func $instance-network "instance-network")))
  (core func $create (canon lower (func $tcp-create-socket "create-tcp-socket")
    (memory (core memory $memory "memory"))))
  (core func $connect (canon lower (func $tcp "[method]tcp-socket.start-connect")
    (memory (core memory $memory "memory"))))
  (core module $program
    (import "host" "memory" (memory 1))
    (import "host" "network" (func $network (result i32)))
    (import "host" "create" (func $create (param i32 i32)))
    (import "host" "connect" (func $connect
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    ;; Whether it failed.
    (func (export "run") (result i32)
      (call $create (i32.const 0) (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then (return (i32.const 1))))
      (call $connect (i32.load (i32.const 20)) (call $network)
        ;; IPv4, the port, the address; what is left over is for IPv6.
        (i32.const 0) (i32.const 9)
        (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 32))
      (i32.load8_u (i32.const 32))))
  (core instance $program (instantiate $program (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "network" (func $the-network))
    (export "create" (func $create))
    (export "connect" (func $connect))))))
  (func $run (result (result)) (canon lift (core func $program "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
