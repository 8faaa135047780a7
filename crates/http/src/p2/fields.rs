//! The resource `fields`.

use std::result;
use std::sync::Arc;

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::Result;
use dunlin_wasi::WasiCtx;
use dunlin_wasi::p2::{Get, Wasi};

use crate::fields::{FieldError, Fields};

/// Why fields are not changed.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
#[component(variant)]
pub(super) enum HeaderError {
    /// A name or a value is none.
    InvalidSyntax,
    /// The guest may not set this one, or no more.
    Forbidden,
    /// They are those of something else.
    Immutable,
}

/// A resource `fields`.
#[derive(Debug)]
pub(super) enum FieldsHandle {
    /// The guest's own.
    Own(Fields),
    /// Those of a request or response.
    Of(Arc<Fields>),
}

pub(super) type This = Resource<FieldsHandle>;
type Told<V> = Result<result::Result<V, HeaderError>>;

/// What the guest is told of an error, if it lives to be told.
fn told<V>(result: result::Result<V, FieldError>) -> Told<V> {
    Ok(match result {
        Ok(value) => Ok(value),
        Err(FieldError::Syntax) => Err(HeaderError::InvalidSyntax),
        // There is no code for too many.
        Err(FieldError::Forbidden | FieldError::Size) => Err(HeaderError::Forbidden),
        Err(FieldError::Budget(error)) => return Err(error),
    })
}

impl FieldsHandle {
    fn fields(&self) -> &Fields {
        match self {
            FieldsHandle::Own(fields) => fields,
            FieldsHandle::Of(fields) => fields,
        }
    }
}

/// Takes fields from the guest; from now on nobody changes them.
pub(super) fn take(ctx: &mut WasiCtx, this: This) -> Result<Arc<Fields>> {
    Ok(match ctx.table().take(this)? {
        FieldsHandle::Own(fields) => Arc::new(fields),
        FieldsHandle::Of(fields) => fields,
    })
}

/// Gives fields to the guest that it cannot change.
pub(super) fn give(ctx: &mut WasiCtx, fields: &Arc<Fields>) -> Result<This> {
    ctx.table().push(FieldsHandle::Of(Arc::clone(fields)), 0)
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("http", "types")?
        .resource::<FieldsHandle>("fields")?
        .func("[constructor]fields", new)?
        .func("[static]fields.from-list", from_list)?
        .func("[method]fields.get", get)?
        .func("[method]fields.has", has)?
        .func("[method]fields.set", set)?
        .func("[method]fields.delete", delete)?
        .func("[method]fields.append", append)?
        .func("[method]fields.entries", entries)?
        .func("[method]fields.clone", clone)?;
    Ok(())
}

pub(super) fn new(ctx: &mut WasiCtx, (): ()) -> Result<This> {
    let budget = ctx.table().budget();
    ctx.table().push(FieldsHandle::Own(Fields::new(budget)), 0)
}

pub(super) fn from_list(ctx: &mut WasiCtx, (entries,): (Vec<(String, Vec<u8>)>,)) -> Told<This> {
    let mut fields = Fields::new(ctx.table().budget());
    let appended = entries.into_iter().try_for_each(|(name, value)| fields.append(name, value));
    match told(appended)? {
        Ok(()) => ctx.table().push(FieldsHandle::Own(fields), 0).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

pub(super) fn get(ctx: &mut WasiCtx, (this, name): (This, String)) -> Result<Vec<Vec<u8>>> {
    afford_copy(ctx, this)?;
    let fields = ctx.table().get(this)?.fields();
    Ok(fields.get(&name).map(<[u8]>::to_vec).collect())
}

fn has(ctx: &mut WasiCtx, (this, name): (This, String)) -> Result<bool> {
    Ok(ctx.table().get(this)?.fields().get(&name).next().is_some())
}

/// Changes fields, if they are the guest's own.
fn change(
    ctx: &mut WasiCtx,
    this: This,
    change: impl FnOnce(&mut Fields) -> result::Result<(), FieldError>,
) -> Told<()> {
    match ctx.table().get_mut(this)? {
        FieldsHandle::Own(fields) => told(change(fields)),
        FieldsHandle::Of(_) => Ok(Err(HeaderError::Immutable)),
    }
}

pub(super) fn set(
    ctx: &mut WasiCtx,
    (this, name, values): (This, String, Vec<Vec<u8>>),
) -> Told<()> {
    change(ctx, this, |fields| fields.set(&name, values))
}

fn delete(ctx: &mut WasiCtx, (this, name): (This, String)) -> Told<()> {
    change(ctx, this, |fields| fields.delete(&name))
}

pub(super) fn append(ctx: &mut WasiCtx, (this, name, value): (This, String, Vec<u8>)) -> Told<()> {
    change(ctx, this, |fields| fields.append(name, value))
}

pub(super) fn entries(ctx: &mut WasiCtx, (this,): (This,)) -> Result<Vec<(String, Vec<u8>)>> {
    afford_copy(ctx, this)?;
    Ok(ctx.table().get(this)?.fields().entries().to_vec())
}

fn clone(ctx: &mut WasiCtx, (this,): (This,)) -> Result<This> {
    match told(ctx.table().get(this)?.fields().copy())? {
        Ok(fields) => ctx.table().push(FieldsHandle::Own(fields), 0),
        // What fits once fits again.
        Err(_) => new(ctx, ()),
    }
}

/// Fails unless the guest may have all of them once more for a moment.
fn afford_copy(ctx: &mut WasiCtx, this: This) -> Result<()> {
    let size = ctx.table().get(this)?.fields().size();
    ctx.table().afford(size)
}
