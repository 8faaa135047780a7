;; features: mvp
(module (type (func (result i32 i32))))
;; error: Unsupported(Some(multi_value)): func type returns multiple values but the multi-value feature is not enabled (at offset 0xb)
;;        help: enable with `--wasm multi-value`
