//! `wasi:keyvalue`: stores that were granted, by name.

use std::result;

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::Result;

use super::{Get, Interface, ResourceTable, Wasi};
use crate::WasiCtx;
use crate::host::keyvalue::{Keys, Store, StoreError, Swap, Swapped};

/// Why an operation failed.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
#[allow(
    dead_code,
    reason = "whether a store exists is nobody's business who has not been granted it"
)]
enum KeyvalueError {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

/// Why a value was not replaced.
#[derive(ComponentType, Debug)]
enum CasError {
    /// The store failed.
    StoreError(KeyvalueError),
    /// It had changed.
    CasFailed(Resource<Cas>),
}

/// Some keys.
#[derive(ComponentType, Clone, PartialEq, Eq, Debug)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<String>,
}

/// A `cas`: what a key had, to be replaced only if it has that still.
#[derive(Debug)]
struct Cas {
    /// Until it was tried.
    swap: Option<Swap>,
    current: Option<Vec<u8>>,
}

type Bucket = Resource<Store>;

/// What a call gives: a value, an error, or the guest's end.
type Told<V> = Result<result::Result<V, KeyvalueError>>;

impl From<StoreError> for KeyvalueError {
    fn from(error: StoreError) -> KeyvalueError {
        match error {
            StoreError::AccessDenied => KeyvalueError::AccessDenied,
            error => KeyvalueError::Other(error.to_string()),
        }
    }
}

fn told<V>(result: result::Result<V, StoreError>) -> Told<V> {
    Ok(result.map_err(KeyvalueError::from))
}

/// The draft whose interfaces these are.
const VERSION: &str = "0.2.0-draft2";

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    add_store(&mut wasi.version("keyvalue", "store", VERSION)?)?;
    wasi.version("keyvalue", "atomics", VERSION)?
        .resource::<Cas>("cas")?
        .func("[static]cas.new", begin)?
        .func("[method]cas.current", current)?
        .func("increment", |ctx, (this, key, delta): (Bucket, String, i64)| {
            on(ctx, this, |store| store.increment(&key, delta))
        })?
        .func("swap", swap)?;
    wasi.version("keyvalue", "batch", VERSION)?
        .func("get-many", get_many)?
        .func("set-many", set_many)?
        .func("delete-many", delete_many)?;
    Ok(())
}

fn add_store<T: 'static, G: Get<T>>(store: &mut Interface<'_, T, G>) -> Result<()> {
    store
        .resource::<Store>("bucket")?
        .func("open", open)?
        .func("[method]bucket.get", get)?
        .func("[method]bucket.set", |ctx, (this, key, value): (Bucket, String, Vec<u8>)| {
            on(ctx, this, |store| store.set(&key, &value))
        })?
        .func("[method]bucket.delete", |ctx, (this, key): (Bucket, String)| {
            on(ctx, this, |store| store.delete(&key))
        })?
        .func("[method]bucket.exists", |ctx, (this, key): (Bucket, String)| {
            on(ctx, this, |store| store.exists(&key))
        })?
        .func("[method]bucket.list-keys", list_keys)?;
    Ok(())
}

/// Does something with a store.
fn on<V>(
    ctx: &WasiCtx,
    this: Bucket,
    act: impl FnOnce(&Store) -> result::Result<V, StoreError>,
) -> Told<V> {
    told(act(ctx.p2.table.get(this)?))
}

fn open(ctx: &mut WasiCtx, (name,): (String,)) -> Told<Bucket> {
    match ctx.realm.stores.open(&name) {
        Ok(store) => ctx.p2.table.push(store, 0).map(Ok),
        Err(error) => told(Err(error)),
    }
}

fn get(ctx: &mut WasiCtx, (this, key): (Bucket, String)) -> Told<Option<Vec<u8>>> {
    let found = on(ctx, this, |store| store.get(&key))?;
    if let Ok(Some(value)) = &found {
        ctx.p2.table.afford(value.len() as u64)?;
    }
    Ok(found)
}

fn list_keys(ctx: &mut WasiCtx, (this, cursor): (Bucket, Option<String>)) -> Told<KeyResponse> {
    on(ctx, this, |store| {
        let Keys { keys, cursor } = store.list(cursor.as_deref())?;
        Ok(KeyResponse { keys, cursor })
    })
}

/// Keeps a swap that was begun.
fn keep(table: &mut ResourceTable, swap: Swap, current: Option<Vec<u8>>) -> Result<Resource<Cas>> {
    let bytes = current.as_ref().map_or(0, Vec::len);
    table.push(Cas { swap: Some(swap), current }, bytes as u64)
}

fn begin(ctx: &mut WasiCtx, (this, key): (Bucket, String)) -> Told<Resource<Cas>> {
    match on(ctx, this, |store| store.begin_swap(&key))? {
        Ok((swap, current)) => keep(&mut ctx.p2.table, swap, current).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

fn current(ctx: &mut WasiCtx, (this,): (Resource<Cas>,)) -> Told<Option<Vec<u8>>> {
    let current = ctx.p2.table.get(this)?.current.as_ref();
    let bytes = current.map_or(0, Vec::len);
    ctx.p2.table.afford(bytes as u64)?;
    Ok(Ok(ctx.p2.table.get(this)?.current.clone()))
}

fn swap(
    ctx: &mut WasiCtx,
    (this, value): (Resource<Cas>, Vec<u8>),
) -> Result<result::Result<(), CasError>> {
    let swap = ctx.p2.table.get_mut(this)?.swap.take();
    // It was passed as owned: nobody has it any more.
    ctx.p2.table.remove(this)?;
    let Some(swap) = swap else {
        return Err(dunlin_engine::Error::bug("a swap was tried twice"));
    };
    Ok(match swap.swap(&value) {
        Ok(Swapped::Done) => Ok(()),
        Ok(Swapped::Failed(swap, current)) => {
            Err(CasError::CasFailed(keep(&mut ctx.p2.table, swap, current)?))
        }
        Err(error) => Err(CasError::StoreError(error.into())),
    })
}

/// Some values with their keys, in the order in which they were asked for.
type Found = Vec<Option<(String, Vec<u8>)>>;

fn get_many(ctx: &mut WasiCtx, (this, keys): (Bucket, Vec<String>)) -> Told<Found> {
    let mut found = Vec::with_capacity(keys.len());
    let mut bytes = 0u64;
    // One by one: together they could be more than the guest may have.
    for key in keys {
        let value = match on(ctx, this, |store| store.get(&key))? {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        };
        let size =
            value.as_ref().map_or(0, Vec::len).saturating_add(size_of::<(String, Vec<u8>)>());
        bytes = bytes.saturating_add(size as u64);
        ctx.p2.table.afford(bytes)?;
        found.push(value.map(|value| (key, value)));
    }
    Ok(Ok(found))
}

fn set_many(ctx: &mut WasiCtx, (this, entries): (Bucket, Vec<(String, Vec<u8>)>)) -> Told<()> {
    let entries: Vec<(&str, &[u8])> =
        entries.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
    on(ctx, this, |store| store.set_many(&entries))
}

fn delete_many(ctx: &mut WasiCtx, (this, keys): (Bucket, Vec<String>)) -> Told<()> {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    on(ctx, this, |store| store.delete_many(&keys))
}

#[cfg(test)]
mod tests;
