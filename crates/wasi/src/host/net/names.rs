//! Which addresses were found under which names, for as long as that counts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::name::Name;

/// How many pairs of a name and an address one guest is remembered.
pub const NAMES_MAX: usize = 1024;

/// How long an address may be connected to after it was found under a name.
///
/// Resolvers do not say how long their answers hold. Programs that keep connections reconnect to an address
/// minutes later; programs that look up again renew it.
pub const NAMES_TTL: Duration = Duration::from_secs(600);

/// The names that addresses were found under.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_address: HashMap<IpAddr, Vec<(Name, Duration)>>,
    pairs: usize,
}

impl Names {
    /// Remembers what was found under a name, from now on for [`NAMES_TTL`]. Addresses have to be canonical.
    pub(super) fn remember(&mut self, name: &Name, found: &[IpAddr], now: Duration) {
        let until = now.saturating_add(NAMES_TTL);
        for &ip in found {
            let known = self
                .by_address
                .get_mut(&ip)
                .and_then(|names| names.iter_mut().find(|(known, _)| known == name));
            if let Some((_, known)) = known {
                *known = until;
                continue;
            }
            if self.pairs >= NAMES_MAX {
                self.make_room(now);
            }
            self.by_address.entry(ip).or_default().push((name.clone(), until));
            self.pairs = self.pairs.saturating_add(1);
        }
    }

    /// The names an address is known by now.
    pub(super) fn of(&self, ip: IpAddr, now: Duration) -> Vec<Name> {
        let names = self.by_address.get(&ip).map(Vec::as_slice).unwrap_or_default();
        names.iter().filter(|(_, until)| *until > now).map(|(name, _)| name.clone()).collect()
    }

    /// Forgets what no longer counts, and if that is nothing, what was found first.
    fn make_room(&mut self, now: Duration) {
        let first = self.by_address.values().flatten().map(|(_, until)| *until).min();
        let oldest = first.unwrap_or(now).max(now);
        self.by_address.retain(|_, names| {
            names.retain(|(_, until)| *until > oldest);
            !names.is_empty()
        });
        self.pairs = self.by_address.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn bounded_and_forgotten() {
        let mut names = Names::default();
        let name = |n: usize| Name::new(&format!("n{n}.example")).unwrap();
        let address = |n: usize| IpAddr::V4(std::net::Ipv4Addr::from_bits(n as u32));
        let at = |seconds: usize| Duration::from_secs(seconds as u64);
        for n in 0..NAMES_MAX * 2 {
            names.remember(&name(n), &[address(n)], at(n / 16));
            assert!(names.pairs <= NAMES_MAX);
        }
        let now = at(NAMES_MAX * 2 / 16);
        assert!(names.of(address(0), now).is_empty(), "the oldest went first");
        let last = NAMES_MAX * 2 - 1;
        assert_eq!(names.of(address(last), now), [name(last)]);
        assert!(names.of(address(last), now + NAMES_TTL).is_empty());
        names.remember(&name(last), &[address(last)], now);
        assert_eq!(names.of(address(last), now + NAMES_TTL - at(1)), [name(last)], "renewed");
        assert_eq!(names.pairs, names.by_address.values().map(Vec::len).sum::<usize>());
    }
}
