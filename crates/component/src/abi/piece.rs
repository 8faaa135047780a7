//! Strings are encoded a piece at a time, so that they take no room of the host's and can be stopped.

/// Bytes of a string that are written at once, and room for one character more.
pub(super) struct Piece {
    bytes: [u8; Piece::FULL + 4],
    len: usize,
}

impl Default for Piece {
    fn default() -> Piece {
        Piece { bytes: [0; Piece::FULL + 4], len: 0 }
    }
}

impl Piece {
    const FULL: usize = 1020;

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len >= Piece::FULL
    }

    /// What there is, which is gone from here then.
    pub(super) fn take(&mut self) -> &[u8] {
        let len = std::mem::take(&mut self.len);
        self.bytes.get(..len).unwrap_or_default()
    }

    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    #[inline]
    pub(super) fn utf8(c: char, to: &mut Piece) {
        to.add(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    #[inline]
    pub(super) fn utf16(c: char, to: &mut Piece) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            to.add(&unit.to_le_bytes());
        }
    }

    /// Of characters that fit.
    #[inline]
    pub(super) fn latin1(c: char, to: &mut Piece) {
        to.add(&[c as u8]);
    }
}
