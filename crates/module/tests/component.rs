//! What components are flattened to.

mod text;

use std::collections::BTreeSet;

use dunlin_module::component::*;
use dunlin_module::{ErrorKind, Features, is_component};
use text::binary;

fn decode(text: &str) -> Component {
    Component::decode(binary(text), &Features::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(text: &str, kind: ErrorKind, message: &str) {
    let error = Component::decode(binary(text), &Features::default()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(message), "{error}");
    assert!(error.offset().is_some(), "{error}");
}

fn names<'a>(names: impl IntoIterator<Item = &'a std::sync::Arc<str>>) -> Vec<&'a str> {
    names.into_iter().map(|name| &**name).collect()
}

/// What a module is given, as `instance.name` or `#trampoline`.
fn args(component: &Component) -> Vec<Vec<String>> {
    let show = |item: &CoreItem| match item {
        CoreItem::Export(instance, name) => format!("{}.{name}", instance.0),
        CoreItem::Trampoline(trampoline) => format!("#{}", trampoline.0),
    };
    let steps = component.steps.iter().filter_map(|step| match step {
        Step::Instantiate { module: ModuleArgs::Static(_, items), .. } => {
            Some(items.iter().map(show).collect())
        }
        Step::Instantiate { module: ModuleArgs::Imported(_, items), .. } => {
            Some(items.iter().map(|(_, _, item)| show(item)).collect())
        }
        Step::Resource(_) => None,
    });
    steps.collect()
}

#[test]
fn headers_tell_components_from_modules() {
    assert!(is_component(&binary("(component)")) && !is_component(&binary("(module)")));
    assert!(!is_component(b"\0asm") && !is_component(b""));
    let error = Component::decode(binary("(module)"), &Features::default()).unwrap_err();
    assert_eq!(error.to_string(), "expected a component, found a core module (at offset 0x0)");
}

#[test]
fn imports_of_modules_come_in_their_order_through_bags_of_exports() {
    let component = decode(
        r#"(component
             (core module $a (func (export "x")) (func (export "y")) (memory (export "m") 1))
             (core module $b
               (import "p" "renamed" (func)) (import "q" "m" (memory 1)) (import "p" "x" (func)))
             (core instance $a (instantiate $a))
             (core instance $bag
               (export "renamed" (func $a "y")) (export "x" (func $a "x")) (export "z" (func $a "x")))
             (core instance (instantiate $b (with "q" (instance $a)) (with "p" (instance $bag)))))"#,
    );
    assert_eq!(args(&component), [vec![], vec!["0.y", "0.m", "0.x"]]);
    assert_eq!(component.modules.len(), 2);
    assert!(component.trampolines.is_empty() && !component.instances[0].calls_out);
}

#[test]
fn a_component_instantiated_twice_has_resources_of_its_own_each_time() {
    let component = decode(
        r#"(component
             (component $c
               (type $r (resource (rep i32)))
               (export $e "r" (type $r))
               (core func $new (canon resource.new $r))
               (core module $m (func (export "f") (param i32) (result i32) local.get 0))
               (core instance $i (instantiate $m))
               (func (export "f") (param "x" (own $e)) (result (own $e)) (canon lift (core func $i "f"))))
             (instance $one (instantiate $c))
             (instance $two (instantiate $c))
             (export "one" (instance $one))
             (export "two" (instance $two)))"#,
    );
    assert_eq!(component.resources.len(), 2);
    assert_eq!(component.modules.len(), 1, "the module is there once");
    let owner = |resource: &Resource| match resource.origin {
        ResourceOrigin::Defined { instance, .. } => instance.0,
        ResourceOrigin::Imported(_) => panic!("from outside"),
    };
    assert_eq!(component.resources.iter().map(owner).collect::<Vec<_>>(), [1, 2]);
    let types: BTreeSet<FuncTypeIndex> = component.lifts.iter().map(|lift| lift.ty).collect();
    assert_eq!(types.len(), 2, "functions on different resources have different types");
    assert_eq!(names(component.instances.iter().flat_map(|i| &i.name)), ["one", "two"]);
}

#[test]
fn imported_resources_are_those_that_are_given() {
    let component = decode(
        r#"(component
             (component $definer
               (type $r (resource (rep i32)))
               (export "r" (type $r)))
             (component $user
               (import "i" (instance $i (export "r" (type (sub resource)))))
               (alias export $i "r" (type $r))
               (core func $drop (canon resource.drop $r))
               (core module $m (import "" "drop" (func (param i32))))
               (core instance
                 (instantiate $m (with "" (instance (export "drop" (func $drop)))))))
             (instance $a (instantiate $definer))
             (instance $b (instantiate $definer))
             (instance $u (instantiate $user (with "i" (instance $b))))
             (instance $v (instantiate $user (with "i" (instance $a)))))"#,
    );
    let dropped = component.trampolines.iter().map(|trampoline| match trampoline.kind {
        TrampolineKind::ResourceDrop(resource) => (trampoline.instance.0, resource.0),
        _ => panic!("{trampoline:?}"),
    });
    assert_eq!(dropped.collect::<Vec<_>>(), [(3, 1), (4, 0)]);
    assert!(component.instances[3].calls_out, "the destructor is code of another instance");
    assert_eq!(component.instances[2].name.as_deref(), Some("b"));
}

#[test]
fn instances_have_names_of_their_own_that_they_cannot_choose() {
    let component = decode(
        r#"(component $whole
             ;; Calls itself as another is called.
             (component $evil (@name "db")
               (component $part)
               (instance $db (instantiate $part))
               (instance (instantiate $part)))
             (component $db)
             (instance (instantiate $evil))
             (instance $log (@name "") (instantiate $db))
             (instance (instantiate $db))
             (instance (instantiate $db))
             (instance $a (@name "db#2") (instantiate $db))
             (instance $b (@name "a>b") (instantiate $evil)))"#,
    );
    let name = |instance: &ComponentInstance| instance.name.clone().unwrap_or_default();
    let found: Vec<_> = component.instances.iter().map(name).collect();
    assert_eq!(
        found.iter().map(|name| &**name).collect::<Vec<_>>(),
        [
            "whole", "db", "db>db", "db>part", "#2", "db#2", "db#3", "db#2#2", "a_b", "a_b>db",
            "a_b>part"
        ]
    );
}

#[test]
fn what_is_imported_has_leaves() {
    let component = decode(
        r#"(component
             (import "f" (func (param "x" string)))
             (import "a:b/c@1.0.0" (instance $i
               (export "r" (type $r (sub resource)))
               (export "get" (func (param "self" (borrow $r)) (result (option (own $r)))))
               (export "unused" (func))
               (export "deep" (instance (export "f" (func)) (export "s" (type (sub resource)))))))
             (import "m" (core module $m (import "x" "y" (func (param i32))) (export "z" (memory 1))))
             (core module $own (memory (export "m") 1) (func (export "y") (param i32)))
             (core instance $own (instantiate $own))
             (alias core export $own "m" (core memory $mem))
             (alias core export $own "y" (core func $y))
             (alias export $i "get" (func $get))
             (core func $lowered (canon lower (func $get) (memory $mem)))
             (core instance
               (instantiate $m (with "x" (instance (export "y" (func $y)))))))"#,
    );
    let shown: Vec<String> = component
        .leaves
        .iter()
        .map(|leaf| {
            let import = &component.imports[leaf.import as usize].name;
            let kind = match leaf.kind {
                LeafKind::Func(_) => "func",
                LeafKind::Resource(_) => "resource",
                LeafKind::Module(_) => "module",
            };
            let used = if leaf.used { "used" } else { "not used" };
            format!("{import}|{}|{kind}|{used}", names(&leaf.path).join("."))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "f||func|not used",
            "a:b/c@1.0.0|r|resource|used",
            "a:b/c@1.0.0|get|func|used",
            "a:b/c@1.0.0|unused|func|not used",
            "a:b/c@1.0.0|deep.f|func|not used",
            "a:b/c@1.0.0|deep.s|resource|not used",
            "m||module|used",
        ]
    );
    assert_eq!(component.resources[0].name.as_deref(), Some("r"));
    let ItemType::Module(ty) = component.imports[2].ty else { panic!("a module") };
    let ty = &component.types.modules[ty.index()];
    assert_eq!(ty.imports[0].2.to_string(), "(func (param i32))");
    assert_eq!(ty.exports[0].1.to_string(), "(memory 1)");
    assert_eq!(args(&component), [vec![], vec!["0.y".to_string()]]);
}

#[test]
fn equal_types_have_equal_indices() {
    let component = decode(
        r#"(component
             (type $a (record (field "x" (list u8)) (field "y" (option string))))
             (type $b (record (field "x" (list u8)) (field "y" (option string))))
             (import "f" (func (param "p" (tuple (list u8) u32))))
             (import "g" (func (param "p" (tuple (list u8) u32))))
             (component
               (type (list u8))
               (type (tuple (list u8) u32))))"#,
    );
    let [f, g] = [0, 1].map(|at| component.imports[at].ty);
    assert_eq!(f, g);
    assert_eq!(component.types.funcs.len(), 1);
    let defined = component.types.defined.len();
    assert_eq!(defined, 4, "list, option, record, tuple: {:?}", component.types.defined);
}

#[test]
fn only_what_a_type_shows_goes_out() {
    let component = decode(
        r#"(component
             (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func $f (canon lift (core func $i "f")))
             (instance $bag (export "shown" (func $f)) (export "hidden" (func $f)))
             (type $narrow (instance (export "shown" (func))))
             (export "ascribed" (instance $bag) (instance (type $narrow)))
             (component $through
               (import "x" (instance $x (export "shown" (func))))
               (export "x" (instance $x)))
             (instance $t (instantiate $through (with "x" (instance $bag))))
             (export "through" (instance $t))
             (component $higher
               (import "c" (component $c (export "shown" (func))))
               (instance $made (instantiate $c))
               (export "made" (instance $made)))
             (component $both
               (core module $m (func (export "f")))
               (core instance $i (instantiate $m))
               (func $f (canon lift (core func $i "f")))
               (export "shown" (func $f))
               (export "hidden" (func $f)))
             (instance $h (instantiate $higher (with "c" (component $both))))
             (export "higher" (instance $h)))"#,
    );
    fn show(exports: &[ComponentExport]) -> String {
        let shown = exports.iter().map(|export| match &export.item {
            ComponentItem::Instance(inner) => format!("{}({})", export.name, show(inner)),
            _ => export.name.to_string(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }
    assert_eq!(show(&component.exports), "ascribed(shown) through(x(shown)) higher(made(shown))");
    assert_eq!(component.lifts.len(), 2);
}

#[test]
fn outer_aliases_reach_what_surrounds_the_definition() {
    let component = decode(
        r#"(component
             (core module $m (func (export "f")))
             (type $t (tuple u8 u8))
             (component $leaf (core instance (instantiate $m)))
             (component $c
               (alias outer 1 $leaf (component $inner))
               (type $u (tuple $t $t))
               (instance (instantiate $inner))
               (instance (instantiate $inner))
               (import "f" (func (param "x" $u))))
             (import "f" (func $f (param "x" (tuple $t $t))))
             (instance (instantiate $c (with "f" (func $f)))))"#,
    );
    assert_eq!(component.instances.len(), 4);
    assert_eq!(args(&component).len(), 2);
    assert_eq!(component.types.defined.len(), 2);
    let parents = component.instances.iter().map(|i| i.parent.map(|parent| parent.0));
    assert_eq!(parents.collect::<Vec<_>>(), [None, Some(0), Some(1), Some(1)]);
}

#[test]
fn canonical_options_and_signatures() {
    let component = decode(
        r#"(component
             (import "log" (func $log (param "s" string)))
             (core module $libc
               (memory (export "m") 1)
               (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
               (func (export "post") (param i32)))
             (core instance $libc (instantiate $libc))
             (core func $log
               (canon lower (func $log) (memory (core memory $libc "m")) string-encoding=utf16))
             (core module $m
               (import "" "log" (func (param i32 i32)))
               (func (export "run") (result i32) unreachable))
             (core instance $m
               (instantiate $m (with "" (instance (export "log" (func $log))))))
             (func (export "run") (result (list u8)) (canon lift (core func $m "run")
               (memory (core memory $libc "m")) (realloc (core func $libc "realloc"))
               (post-return (core func $libc "post")))))"#,
    );
    let [lift] = &component.lifts[..] else { panic!("one lift") };
    let options = &component.options[lift.options.index()];
    let export = |name: &str| Some(CoreItem::Export(CoreInstanceIndex(0), name.into()));
    assert_eq!(options.memory, export("m"));
    assert_eq!(options.realloc, export("realloc"));
    assert_eq!(options.post_return, export("post"));
    assert_eq!(options.encoding, StringEncoding::Utf8);
    assert_eq!(lift.core_ty.to_string(), "(func (result i32))");
    let [lower] = &component.trampolines[..] else { panic!("one trampoline") };
    assert_eq!(lower.ty.to_string(), "(func (param i32 i32))");
    let TrampolineKind::Lower { options, .. } = lower.kind else { panic!("a lowered function") };
    assert_eq!(component.options[options.index()].encoding, StringEncoding::Utf16);
    assert!(component.instances[0].calls_out);
}

#[test]
fn an_outline_says_who_needs_what() {
    let component = decode(
        r#"(component $app
             (import "wasi:cli/stdout@0.2.0" (instance $io (export "write" (func)) (export "more" (func))))
             (component $logger
               (import "io" (instance $io (export "write" (func))))
               (alias export $io "write" (func $w))
               (core func $w (canon lower (func $w)))
               (core module $m (import "" "w" (func)) (func (export "log") call 0))
               (core instance $i
                 (instantiate $m (with "" (instance (export "w" (func $w))))))
               (func (export "log") (canon lift (core func $i "log"))))
             (component $main
               (import "log" (func $log))
               (core func $log (canon lower (func $log)))
               (core module $m (import "" "log" (func)) (func (export "run") call 0))
               (core instance $i
                 (instantiate $m (with "" (instance (export "log" (func $log))))))
               (func (export "run") (canon lift (core func $i "run"))))
             (instance $logger (instantiate $logger (with "io" (instance $io))))
             (alias export $logger "log" (func $log))
             (instance $main (instantiate $main (with "log" (func $log))))
             (export "api" (instance $main)))"#,
    );
    let outline = component.outline();
    assert_eq!(component.name.as_deref(), Some("app"));
    let [root, logger, main] = &outline[..] else { panic!("three instances") };
    assert_eq!(names(&logger.name).concat() + names(&main.name).concat().as_str(), "loggermain");
    assert_eq!(root.children, [ComponentInstanceIndex(1), ComponentInstanceIndex(2)]);
    assert!(root.modules.is_empty() && root.needs.is_empty() && root.calls.is_empty());
    assert_eq!(logger.modules, [StaticModuleIndex(0)]);
    let needs: Vec<_> = logger.needs.iter().map(|(at, used)| (*at, names(used))).collect();
    assert_eq!(needs, [(0, vec!["write"])]);
    assert_eq!(main.calls, [ComponentInstanceIndex(1)]);
    assert_eq!(names(&main.exports[0]), ["api", "run"]);
    assert!(component.producers().is_empty());
}

#[test]
fn what_is_not_supported_says_so() {
    let unsupported = ErrorKind::Unsupported(None);
    refused(r#"(component (import "c" (component)))"#, unsupported, "imports of components");
    refused(
        r#"(component
             (core type $t (module (type $s (struct)) (import "" "t" (table 1 (ref null 0)))))
             (import "m" (core module (type $t))))"#,
        unsupported,
        "types of modules that name types other than those of functions",
    );
    let values = r#"(component (import "v" (value u8)))"#;
    let error = Component::decode(binary(values), &Features::all()).unwrap_err();
    assert!(error.message().contains("value"), "{error}");
}
