;; features: -simd,-relaxed-simd
(module (func $f (drop (v128.const i64x2 1 2))))
;; error: Unsupported(Some(simd)): SIMD support is not enabled (at offset 0x17, in function `f`)
;;        help: enable with `--wasm simd`
