//! Configurations: what is refused, and how it is said.

use dunlin_engine::{Config, Engine, ErrorKind, Features, MemoryKind, Store};

use crate::check_snapshot;

#[test]
fn the_default_has_no_conflicts() {
    Engine::new(&Config::default()).unwrap();
    Engine::default();
}

#[test]
fn every_conflict_is_reported_at_once() {
    let mut config = Config { features: Features::NONE, ..Config::default() };
    config.features.gc = true;
    config.features.wide_arithmetic = true;
    config.limits.value_stack_slots = 3;
    let error = Engine::new(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    check_snapshot("config_conflicts", error.report());
}

#[test]
fn features_reach_validation() {
    let simd = wat::parse_str("(module (func (param v128)))").unwrap();
    let mut config = Config::default();
    assert!(dunlin_engine::Module::new(&Engine::new(&config).unwrap(), &simd).is_ok());
    config.features = Features::wasm1();
    let error = dunlin_engine::Module::new(&Engine::new(&config).unwrap(), &simd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    check_snapshot("feature_off", error.report());
}

#[test]
fn limits_of_a_store_are_checked() {
    let engine = Engine::default();
    let mut limits = engine.limits().clone();
    limits.value_stack_slots = 0;
    let error = Store::with_limits(&engine, (), limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    check_snapshot("store_limits", error.report());
}

#[test]
fn compact_memories_exist_everywhere() {
    let mut config = Config::default();
    config.memory.kind = MemoryKind::Compact;
    Engine::new(&config).unwrap();
}

#[test]
fn clones_of_an_engine_are_the_same() {
    let engine = Engine::default();
    assert!(Engine::same(&engine, &engine.clone()));
    assert!(!Engine::same(&engine, &Engine::default()));
}
