(module (func (export "\1b[2Jrun")) (memory (export "\1b[2Jrun") 1))
;; error: Invalid: duplicate export name `\u{1b}[2Jrun` already defined (at offset 0x24)
