;; Names are the guest's: they must not steer the terminal.
;; RUN: run %s
;; EXIT: 134
(module
  (func (@name "evil\1b[31m\u{202e}name\n") (unreachable))
  (func (export "_start") (call 0)))
