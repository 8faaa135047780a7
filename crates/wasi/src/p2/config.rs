//! `wasi:config`: values of a configuration.

use std::result;

use dunlin_component::ComponentType;
use dunlin_engine::Result;

use super::{Get, Wasi};
use crate::WasiCtx;

/// Why there is no answer. There always is one here.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "the host has no use for it")]
enum ConfigError {
    Upstream(String),
    Io(String),
}

/// What a call gives.
type Told<V> = Result<result::Result<V, ConfigError>>;

/// Drafts with the same interface.
const VERSIONS: [&str; 2] = ["0.2.0-draft", "0.2.0-rc.1"];

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    for version in VERSIONS {
        wasi.version("config", "store", version)?.func("get", get)?.func("get-all", get_all)?;
    }
    Ok(())
}

fn get(ctx: &mut WasiCtx, (key,): (String,)) -> Told<Option<String>> {
    let value = ctx.realm.config.get(&key).map(str::to_owned);
    Ok(Ok(value))
}

fn get_all(ctx: &mut WasiCtx, (): ()) -> Told<Vec<(String, String)>> {
    let bytes = ctx.realm.config.values.iter().fold(0u64, |sum, (key, value)| {
        let strings = 2 * size_of::<String>();
        sum.saturating_add(key.len().saturating_add(value.len()).saturating_add(strings) as u64)
    });
    ctx.p2.table.afford(bytes)?;
    let all = ctx.realm.config.all().map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Ok(all.collect()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::p2::testing::charged;

    #[test]
    fn what_was_set_is_found() {
        let builder = WasiCtx::builder().config("b", "2").config("a", "1").config("b", "3");
        let mut ctx = charged(builder, 1 << 20);
        assert_eq!(get(&mut ctx, ("b".to_owned(),)).unwrap(), Ok(Some("3".to_owned())));
        assert_eq!(get(&mut ctx, (String::new(),)).unwrap(), Ok(None));
        let all = get_all(&mut ctx, ()).unwrap().unwrap();
        let all: Vec<_> = all.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(all, [("a", "1"), ("b", "3")]);
    }

    #[test]
    fn all_of_it_is_charged_first() {
        let builder = WasiCtx::builder().config("a", "x".repeat(1000));
        assert!(get_all(&mut charged(builder, 1000), ()).is_err());
    }
}
