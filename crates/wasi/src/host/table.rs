//! A table of numbered entries: the lowest free number is given first, and the size is bounded.

use super::Error;

/// Numbered entries, at most `limit` of them open at once.
///
/// Numbers stay below the limit too, so that a guest cannot make the table sparse.
#[derive(Debug)]
pub struct Table<E> {
    slots: Vec<Option<E>>,
    open: usize,
    limit: usize,
    /// No slot below this one is free.
    lowest_free: usize,
}

impl<E> Table<E> {
    /// An empty table for up to `limit` entries.
    pub fn new(limit: usize) -> Table<E> {
        let limit = limit.min(i32::MAX as usize);
        Table { slots: Vec::new(), open: 0, limit, lowest_free: 0 }
    }

    /// How many entries are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether one more entry fits; asked before an operation whose effect cannot be taken back.
    pub fn check_room(&self) -> Result<(), Error> {
        if self.open < self.limit { Ok(()) } else { Err(Error::TableFull) }
    }

    /// Opens an entry under the lowest free number.
    pub fn insert(&mut self, entry: E) -> Result<u32, Error> {
        self.check_room()?;
        let free = self.slots.iter().skip(self.lowest_free).position(Option::is_none);
        let index = match free {
            Some(after) => self.lowest_free.saturating_add(after),
            None => self.slots.len(),
        };
        let number = u32::try_from(index).map_err(|_| Error::TableFull)?;
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(entry),
            None => self.slots.push(Some(entry)),
        }
        self.open = self.open.saturating_add(1);
        self.lowest_free = index.saturating_add(1);
        Ok(number)
    }

    /// The entry of this number.
    pub fn get(&self, number: u32) -> Result<&E, Error> {
        self.slots.get(number as usize).and_then(Option::as_ref).ok_or(Error::BadDescriptor)
    }

    /// The entry of this number, to change it.
    pub fn get_mut(&mut self, number: u32) -> Result<&mut E, Error> {
        self.slots.get_mut(number as usize).and_then(Option::as_mut).ok_or(Error::BadDescriptor)
    }

    /// Closes a number and gives its entry back.
    pub fn remove(&mut self, number: u32) -> Result<E, Error> {
        let slot = self.slots.get_mut(number as usize).ok_or(Error::BadDescriptor)?;
        let entry = slot.take().ok_or(Error::BadDescriptor)?;
        self.open = self.open.saturating_sub(1);
        self.lowest_free = self.lowest_free.min(number as usize);
        Ok(entry)
    }

    /// Moves `from` onto `to`, which must be open too and is closed by it.
    ///
    /// Moving a number onto itself changes nothing.
    pub fn renumber(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.get(to)?;
        if from == to {
            return Ok(());
        }
        let entry = self.remove(from)?;
        *self.get_mut(to)? = entry;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn lowest_number_first() {
        let mut table = Table::new(4);
        for want in 0..4 {
            assert_eq!(table.insert(want), Ok(want));
        }
        assert_eq!(table.insert(9), Err(Error::TableFull));
        table.remove(2).unwrap();
        table.remove(1).unwrap();
        assert_eq!(table.insert(11), Ok(1));
        assert_eq!(table.insert(12), Ok(2));
        assert_eq!(table.open(), 4);
        assert_eq!(table.remove(7), Err(Error::BadDescriptor));
    }

    #[test]
    fn renumber() {
        let mut table = Table::new(8);
        for value in 0..3 {
            table.insert(value).unwrap();
        }
        assert_eq!(table.renumber(1, 1), Ok(()));
        assert_eq!(table.get(1), Ok(&1));
        assert_eq!(table.renumber(0, u32::MAX), Err(Error::BadDescriptor));
        assert_eq!(table.renumber(0, 5), Err(Error::BadDescriptor));
        assert_eq!(table.renumber(5, 0), Err(Error::BadDescriptor));
        assert_eq!(table.get(0), Ok(&0), "a refused move leaves both ends as they were");
        assert_eq!(table.renumber(2, 0), Ok(()));
        assert_eq!(table.get(0), Ok(&2));
        assert_eq!(table.get(2), Err(Error::BadDescriptor));
        assert_eq!(table.open(), 2);
        assert_eq!(table.insert(7), Ok(2));
    }
}
