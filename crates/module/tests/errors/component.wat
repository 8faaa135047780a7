(module binary "\00asm\0d\00\01\00")
;; error: Unsupported(None): expected a core module, found a component (at offset 0x0)
