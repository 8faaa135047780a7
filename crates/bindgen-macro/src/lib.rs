//! The macro `dunlin::bindgen!`: what `dunlin_bindgen` writes, where it is asked for.

#![forbid(unsafe_code)]

use std::path::Path;

use dunlin_bindgen::{Bindings, Options};
use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Rust types and traits for a world of WIT.
///
/// ```text
/// dunlin::bindgen!("plugin" in "wit");
///
/// dunlin::bindgen!({
///     path: "wit",                    // a directory or file, from the manifest on; or a component
///     world: "plugin",                // not needed if there is one only
///     with: {                         // Rust types that stand for imported resources
///         "acme:shop/carts/cart": crate::Cart,
///     },
///     unstable: ["discounts"],        // features of items that are marked `@unstable`
///     runtime: ::dunlin::component,   // where the crate is that code uses
/// });
/// ```
///
/// Instead of `path`, `inline: "package acme:shop; …"` has the text itself. There will be a module for
/// each interface, with a trait `Host` for one that is imported and a struct `Guest` for one that is
/// exported, and a struct named after the world.
#[proc_macro]
pub fn bindgen(input: TokenStream) -> TokenStream {
    let made = Request::parse(input).and_then(|request| request.answer());
    let source = made.unwrap_or_else(|message| format!("::core::compile_error!({message:?});"));
    match source.parse() {
        Ok(tokens) => tokens,
        Err(error) => {
            let message = format!("dunlin-bindgen wrote what is not Rust: {error}");
            format!("::core::compile_error!({message:?});").parse().unwrap_or_default()
        }
    }
}

/// What was asked for.
#[derive(Default)]
struct Request {
    path: Option<String>,
    inline: Option<String>,
    options: Options,
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<TokenTree>>;

impl Request {
    fn parse(input: TokenStream) -> Result<Request, String> {
        let tokens: Vec<TokenTree> = input.into_iter().collect();
        match &tokens[..] {
            [TokenTree::Literal(world), TokenTree::Ident(word), TokenTree::Literal(path)]
                if word.to_string() == "in" =>
            {
                let mut request = Request::default();
                request.options.world(&text(&TokenTree::Literal(world.clone()))?);
                request.path = Some(text(&TokenTree::Literal(path.clone()))?);
                Ok(request)
            }
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                let mut request = Request::default();
                for (name, value) in fields(group.stream())? {
                    request.set(&name, value)?;
                }
                Ok(request)
            }
            _ => Err("expected `\"world\" in \"path\"` or `{ path: \"…\", … }`".to_owned()),
        }
    }

    fn set(&mut self, name: &str, value: Vec<TokenTree>) -> Result<(), String> {
        let one = || match &value[..] {
            [token] => text(token),
            _ => Err(format!("`{name}`: expected a string")),
        };
        let group = |delimiter: Delimiter| match &value[..] {
            [TokenTree::Group(group)] if group.delimiter() == delimiter => Ok(group.stream()),
            _ => Err(format!("`{name}`: expected a list in brackets")),
        };
        match name {
            "path" => self.path = Some(one()?),
            "inline" => self.inline = Some(one()?),
            "world" => drop(self.options.world(&one()?)),
            "runtime" => drop(self.options.runtime(&source(value))),
            "with" => {
                for (resource, rust) in fields(group(Delimiter::Brace)?)? {
                    self.options.with(&resource, &source(rust));
                }
            }
            "unstable" => {
                for token in group(Delimiter::Bracket)? {
                    if let TokenTree::Literal(_) = &token {
                        self.options.unstable(&text(&token)?);
                    }
                }
            }
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    fn answer(&self) -> Result<String, String> {
        let made = match (&self.path, &self.inline) {
            (None, Some(text)) => self
                .options
                .generate_text(text)
                .map(|source| Bindings { source, files: Vec::new() }),
            (path, None) => {
                let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
                let path = Path::new(&folder).join(path.as_deref().unwrap_or("wit"));
                self.options.generate(&path)
            }
            (Some(_), Some(_)) => return Err("expected `path` or `inline`, found both".to_owned()),
        };
        let made = made.map_err(|error| error.to_string())?;
        // Whoever compiles this has to look at the files again when they change.
        let files: String = made
            .files
            .iter()
            .map(|file| format!("const _: &[u8] = ::core::include_bytes!({file:?});\n"))
            .collect();
        Ok(files + &made.items())
    }
}

/// `name: value` pairs with commas between them.
fn fields(stream: TokenStream) -> Result<Vec<(String, Vec<TokenTree>)>, String> {
    let mut tokens: Tokens = stream.into_iter().collect::<Vec<_>>().into_iter().peekable();
    let mut fields = Vec::new();
    while let Some(name) = tokens.next() {
        let name = match &name {
            TokenTree::Ident(name) => name.to_string(),
            other => text(other)?,
        };
        if !matches!(tokens.next(), Some(TokenTree::Punct(colon)) if colon.as_char() == ':') {
            return Err(format!("expected `:` after `{name}`"));
        }
        let mut value = Vec::new();
        while let Some(token) =
            tokens.next_if(|token| !matches!(token, TokenTree::Punct(p) if p.as_char() == ','))
        {
            value.push(token);
        }
        tokens.next();
        fields.push((name, value));
    }
    Ok(fields)
}

/// The source of tokens.
fn source(tokens: Vec<TokenTree>) -> String {
    tokens.into_iter().collect::<TokenStream>().to_string().replace(' ', "")
}

/// What a string literal says.
fn text(token: &TokenTree) -> Result<String, String> {
    let source = token.to_string();
    let expected = || format!("expected a string, found `{source}`");
    if let Some(raw) = source.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inner = raw.get(hashes + 1..raw.len().saturating_sub(hashes + 1));
        return inner.map(str::to_owned).ok_or_else(expected);
    }
    let inner = source.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let inner = inner.ok_or_else(expected)?;
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, c) => text.push(c),
            (true, 'n' | '\n') => {
                text.push('\n');
                escaped = false;
            }
            (true, '\\' | '"') => {
                text.push(c);
                escaped = false;
            }
            (true, _) => return Err(format!("expected a plain string, found `{source}`")),
        }
    }
    Ok(text)
}
