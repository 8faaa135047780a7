//! A survey as one JSON object, for programs; complete.

use super::{Program, Survey, Want};
use crate::json::Json;

pub(crate) fn json(survey: &Survey, wants: &[Want], program: Option<&Program>) -> Json {
    let module = &survey.module;
    let imports = module.imports.iter().map(|import| {
        Json::Object(vec![
            ("module", import.module.as_ref().into()),
            ("name", import.name.as_ref().into()),
            ("type", import.ty.to_string().into()),
        ])
    });
    let exports = module.exports.iter().map(|export| {
        Json::Object(vec![
            ("name", export.name.as_ref().into()),
            ("type", module.extern_type(export.item).to_string().into()),
        ])
    });
    let sections = survey
        .sections()
        .map(|(name, bytes)| Json::Object(vec![("name", name.into()), ("bytes", bytes.into())]));
    let producers = survey.producers.iter().map(|producer| {
        Json::Object(vec![
            ("field", producer.field.as_str().into()),
            ("name", producer.name.as_str().into()),
            ("version", producer.version.as_str().into()),
        ])
    });
    let wants = wants.iter().map(|want| {
        Json::Object(vec![
            ("what", want.what.into()),
            ("flag", want.flag.into()),
            ("imports", want.imports.iter().map(String::as_str).collect()),
        ])
    });
    Json::Object(vec![
        ("kind", survey.kind.name().into()),
        ("name", module.names().module().into()),
        ("bytes", (module.bytes.len() as u64).into()),
        ("functions", (module.bodies.len() as u64).into()),
        ("start", Json::Bool(module.start.is_some())),
        ("features", survey.features.iter().map(|feature| feature.name()).collect()),
        ("producers", producers.collect()),
        ("imports", imports.collect()),
        ("exports", exports.collect()),
        ("memories", module.memories.iter().map(ToString::to_string).collect()),
        ("tables", module.tables.iter().map(ToString::to_string).collect()),
        ("branch_hints", survey.hints.as_ref().map_or(0, |&count| count as u64).into()),
        ("sections", sections.collect()),
        ("wants", wants.collect()),
        ("compiled", program.map(Program::json).into()),
    ])
}
