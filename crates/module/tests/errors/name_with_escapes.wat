;; A name must not steer the terminal, nor disguise itself.
(module (func (export "\1b[31mred\0a\e2\80\ae\c2\9b") i32.add drop))
;; error: Invalid: type mismatch: expected i32 but nothing on stack (at offset 0x2b, in function `\u{1b}[31mred\u{a}\u{202e}\u{9b}`)
