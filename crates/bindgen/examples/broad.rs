//! Makes bindings for every world below folders, as one crate that can be checked.
//!
//! `cargo run -p dunlin-bindgen --example broad -- OUT FOLDER...`, then `cargo check` in OUT.

#![expect(clippy::print_stdout, reason = "it is run by people, who want to know")]

use std::fs;
use std::path::{Path, PathBuf};

use dunlin_bindgen::Options;
use wit_parser::Resolve;
use wit_parser::decoding::{DecodedWasm, decode};

fn main() {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let out = args.next().expect("where to write the crate");
    let mut modules = String::from("//! Bindings for whatever was found.\n\n");
    let (mut made, mut refused) = (0, 0);
    let found: Vec<_> = args.flat_map(|folder| worlds(&folder)).collect();
    for (path, world) in found.into_iter().flat_map(|(path, world)| both(&out, path, world)) {
        let mut options = Options::new();
        options.runtime("::dunlin_component").unstable("active");
        options.world(&world);
        match options.generate(&path) {
            Ok(bindings) => {
                let file = format!("m{made}.rs");
                fs::create_dir_all(out.join("src")).expect("a folder can be made");
                fs::write(out.join("src").join(&file), bindings.source).expect("it can be written");
                modules += &format!("/// {} {world}\npub mod m{made};\n", path.display());
                made += 1;
            }
            Err(error) => {
                println!("{} {world}: {error}", path.display());
                refused += 1;
            }
        }
    }
    fs::write(out.join("src/lib.rs"), modules).expect("it can be written");
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../component");
    let manifest = format!(
        "[package]\nname = \"broad\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ndunlin-component = {{ path = {component:?} }}\n\n\
         [profile.dev]\nopt-level = 1\ndebug = \"line-tables-only\"\n\n\
         [profile.dev.package.\"*\"]\nopt-level = 3\ndebug = false\n"
    );
    fs::write(out.join("Cargo.toml"), manifest).expect("it can be written");
    println!("{made} worlds, {refused} refused");
}

/// For an interface, a package with a world that imports and exports it.
fn both(out: &Path, path: PathBuf, world: String) -> Option<(PathBuf, String)> {
    if !world.contains(':') {
        return Some((path, world));
    }
    let title: String = path.iter().next_back()?.to_string_lossy().into_owned() + &world;
    let folder = out.join("wit").join(title.replace(['/', ':', '@'], "_"));
    let deps = folder.join("deps");
    fs::create_dir_all(deps.join("it")).ok()?;
    let text = format!("package made:up;\nworld both {{ import {world}; export {world}; }}\n");
    fs::write(folder.join("both.wit"), text).ok()?;
    if path.is_file() {
        fs::copy(&path, deps.join("it/it.wit")).ok()?;
    } else {
        copy(&path, &deps.join("it"), false)?;
        let inner = path.join("deps");
        if inner.is_dir() {
            copy(&inner, &deps, true)?;
        }
    }
    Some((folder, "both".to_owned()))
}

fn copy(from: &Path, to: &Path, folders: bool) -> Option<()> {
    fs::create_dir_all(to).ok()?;
    for entry in fs::read_dir(from).ok()? {
        let path = entry.ok()?.path();
        let target = to.join(path.file_name()?);
        match path.is_dir() {
            true if folders => copy(&path, &target, true)?,
            true => {}
            false => drop(fs::copy(&path, target).ok()?),
        }
    }
    Some(())
}

/// All worlds and interfaces in a file or folder, and where they are.
fn worlds(path: &Path) -> Vec<(PathBuf, String)> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if path.ends_with("parse-fail") {
        return Vec::new();
    }
    let resolve = match ending {
        "wasm" => decode(&fs::read(path).expect("it can be read")).ok().map(|decoded| {
            let package = decoded.package();
            match decoded {
                DecodedWasm::WitPackage(resolve, _) | DecodedWasm::Component(resolve, _) => {
                    (resolve, package)
                }
            }
        }),
        _ => {
            let mut resolve = Resolve::default();
            resolve.features.insert("active".to_owned());
            let has_text = path.is_dir()
                && fs::read_dir(path).expect("it can be read").any(|entry| {
                    entry.expect("an entry").path().extension().is_some_and(|e| e == "wit")
                });
            match ending == "wit" || has_text && !path.ends_with("ui") {
                true => resolve.push_path(path).ok().map(|(package, _)| (resolve, package)),
                false => None,
            }
        }
    };
    match resolve {
        Some((resolve, package)) => {
            let package = &resolve.packages[package];
            let worlds = package.worlds.keys().map(|world| (path.to_owned(), world.clone()));
            let interfaces = package.interfaces.keys().map(|interface| {
                let version = package.name.version.as_ref().map(|version| format!("@{version}"));
                let (namespace, name) = (&package.name.namespace, &package.name.name);
                let version = version.unwrap_or_default();
                (path.to_owned(), format!("{namespace}:{name}/{interface}{version}"))
            });
            let interfaces = interfaces.filter(|_| ending != "wasm");
            worlds.chain(interfaces).collect()
        }
        None if path.is_dir() => {
            let entries = fs::read_dir(path).expect("it can be read");
            let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
            paths.sort();
            paths.iter().flat_map(|path| worlds(path)).collect()
        }
        None => Vec::new(),
    }
}
