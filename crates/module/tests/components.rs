//! Components that others have built: every one of them decodes, and what comes of it holds together.
//!
//! They are not part of this repository: `DUNLIN_SUITES` names the folder that holds
//! `jco-components` and `wasi-testsuite`. Without it this test says so and checks nothing.

mod text;

use std::path::{Path, PathBuf};

use dunlin_module::component::{
    Component, ComponentExport, ComponentItem, CoreItem, DefinedType, FuncRef, ItemType, LeafKind,
    ModuleArgs, ResourceOrigin, Step, TrampolineKind, TypeItem, ValueType,
};
use dunlin_module::{Features, Module, TypeRegistry, is_component};

/// All files below `folder`, sorted.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn components_of_others_decode() {
    let Some(root) = std::env::var_os("DUNLIN_SUITES") else {
        eprintln!("skipped: DUNLIN_SUITES is not set");
        return;
    };
    let (mut decoded, mut failures) = (0, Vec::new());
    for suite in ["jco-components", "wasi-testsuite"] {
        let mut paths = Vec::new();
        files(&Path::new(&root).join(suite), &mut paths);
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            if !is_component(&bytes) {
                continue;
            }
            match Component::decode(bytes, &Features::default()) {
                Ok(component) => {
                    decoded += 1;
                    check(&component);
                }
                Err(error) => failures.push(format!("{}: {error}", path.display())),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(decoded > 100, "{decoded} components found");
}

/// What a tool that makes components of modules is expected to make.
#[test]
fn components_as_text_decode() {
    let Some(root) = std::env::var_os("DUNLIN_SUITES") else {
        eprintln!("skipped: DUNLIN_SUITES is not set");
        return;
    };
    let mut paths = Vec::new();
    files(&Path::new(&root).join("wasm-tools/crates/wit-component"), &mut paths);
    paths.retain(|path| path.file_name().is_some_and(|name| name == "component.wat"));
    assert!(paths.len() > 100, "{} files", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        match Component::decode(text::binary(&text), &Features::default()) {
            Ok(component) => check(&component),
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks every index in `component`, that nothing is used before it is there, and that its core
/// modules are valid and have as many imports as are given to them.
fn check(component: &Component) {
    let registry = TypeRegistry::new();
    let modules: Vec<Module> = component
        .modules
        .iter()
        .map(|range| {
            let bytes = component.bytes[range.clone()].to_vec();
            Module::decode(bytes, &Features::default(), &registry).unwrap()
        })
        .collect();
    check_types(component);
    let mut core_instances = 0;
    let check_item = |item: &CoreItem, core_instances: u32| match item {
        CoreItem::Export(instance, _) => assert!(instance.0 < core_instances),
        CoreItem::Trampoline(trampoline) => {
            assert!(trampoline.index() < component.trampolines.len());
        }
    };
    for step in &component.steps {
        match step {
            Step::Resource(resource) => {
                let ResourceOrigin::Defined { instance, destructor } =
                    &component.resources[resource.index()].origin
                else {
                    panic!("a resource from outside comes to be");
                };
                assert!(instance.index() < component.instances.len());
                destructor.iter().for_each(|item| check_item(item, core_instances));
            }
            Step::Instantiate { instance, module } => {
                assert!(instance.index() < component.instances.len());
                let ModuleArgs::Static(module, items) = module else { continue };
                assert_eq!(modules[module.index()].imports.len(), items.len());
                items.iter().for_each(|item| check_item(item, core_instances));
                core_instances += 1;
            }
        }
    }
    for (at, instance) in component.instances.iter().enumerate() {
        assert!(instance.parent.is_none_or(|parent| parent.index() < at));
        assert_eq!(instance.parent.is_none(), at == 0);
    }
    for trampoline in &component.trampolines {
        if let TrampolineKind::Lower { func, ty, options } = &trampoline.kind {
            check_func(component, *func);
            assert!(ty.index() < component.types.funcs.len());
            assert_eq!(component.options[options.index()].instance, trampoline.instance);
            assert!(component.instances[trampoline.instance.index()].calls_out);
        }
    }
    for options in &component.options {
        let items = [&options.memory, &options.realloc, &options.post_return, &options.callback];
        items.into_iter().flatten().for_each(|item| check_item(item, core_instances));
    }
    for lift in &component.lifts {
        check_item(&lift.core, core_instances);
        assert!(lift.ty.index() < component.types.funcs.len());
    }
    for leaf in &component.leaves {
        assert!((leaf.import as usize) < component.imports.len());
        if let LeafKind::Resource(resource) = leaf.kind {
            assert!(matches!(
                component.resources[resource.index()].origin,
                ResourceOrigin::Imported(_)
            ));
        }
    }
    check_exports(component, &component.exports);
}

fn check_func(component: &Component, func: FuncRef) {
    match func {
        FuncRef::Lifted(lift) => assert!(lift.index() < component.lifts.len()),
        FuncRef::Imported(leaf) => {
            assert!(matches!(component.leaves[leaf.index()].kind, LeafKind::Func(_)));
            assert!(component.leaves[leaf.index()].used);
        }
    }
}

fn check_exports(component: &Component, exports: &[ComponentExport]) {
    for export in exports {
        match &export.item {
            ComponentItem::Func(func, ty) => {
                check_func(component, *func);
                assert!(ty.index() < component.types.funcs.len());
                if let FuncRef::Lifted(lift) = func {
                    assert_eq!(component.lifts[lift.index()].ty, *ty);
                }
            }
            ComponentItem::Instance(exports) => check_exports(component, exports),
            ComponentItem::Type(TypeItem::Resource(resource)) => {
                assert!(component.resources[resource.index()].name.is_some());
            }
            _ => {}
        }
    }
}

/// Types come after what they consist of, and there are no two alike.
fn check_types(component: &Component) {
    let types = &component.types;
    let mut seen = std::collections::HashSet::new();
    for (at, ty) in types.defined.iter().enumerate() {
        assert!(seen.insert(ty), "{ty:?} is there twice");
        for part in ty.parts() {
            assert!(!matches!(part, ValueType::Defined(part) if part.index() >= at));
        }
        if let DefinedType::Own(resource) | DefinedType::Borrow(resource) = ty {
            assert!(resource.index() < component.resources.len());
        }
    }
    for ty in &types.instances {
        for (_, item) in &ty.exports {
            match item {
                ItemType::Func(ty) => assert!(ty.index() < types.funcs.len()),
                ItemType::Instance(ty) => assert!(ty.index() < types.instances.len()),
                ItemType::Module(ty) => assert!(ty.index() < types.modules.len()),
                ItemType::Type(_) | ItemType::Component => {}
            }
        }
    }
}
