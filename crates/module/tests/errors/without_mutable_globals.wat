;; features: mvp
(module (import "m" "g" (global (mut i32))))
;; error: Unsupported(Some(mutable_global)): mutable global support is not enabled (at offset 0xb)
;;        help: enable with `--wasm mutable-global`
