//! [`Jit`]: a request goes in, native code comes out.

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_frontend::FunctionBuilderContext;
use dunlin_code::native::{CompileError, Compiler, NativeCode, Request};

use crate::extract::extract;
use crate::flags::{Processor, Target, fingerprint};
use crate::limits::UNCHECKED_FRAME_BYTES_MAX;
use crate::liveness;
use crate::translate::{Options, Translated, translate};

/// The compiler to native code for the processor that this runs on.
pub struct Jit {
    target: Target,
    /// The same with canonical NaNs.
    deterministic: Target,
    fingerprint: String,
}

impl Jit {
    /// A compiler for this machine.
    ///
    /// # Errors
    ///
    /// If there is no code generator for it: says why.
    pub fn new() -> Result<Jit, String> {
        Jit::with(Processor::This)
    }

    /// A compiler for any processor that native code is made for: x86-64-v2.
    ///
    /// # Errors
    ///
    /// As [`Jit::new`].
    pub fn baseline() -> Result<Jit, String> {
        Jit::with(Processor::Baseline)
    }

    fn with(processor: Processor) -> Result<Jit, String> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err("native code is made for x86-64 only".to_owned());
        }
        let target = crate::flags::target(processor, false)?;
        let fingerprint = fingerprint(&target);
        let deterministic = crate::flags::target(processor, true)?;
        Ok(Jit { fingerprint, deterministic, target })
    }

    fn target(&self, request: &Request<'_>) -> &Target {
        if request.settings.deterministic { &self.deterministic } else { &self.target }
    }

    /// Compiles a function and shows its instructions.
    ///
    /// # Errors
    ///
    /// As for [`Compiler::compile`].
    pub fn assembly(&self, request: &Request<'_>) -> Result<String, CompileError> {
        let mut context = Context::new();
        context.set_disasm(true);
        let translated = self.translate(request, &mut context.func, false)?;
        generate(&mut context, self.target(request), &translated)?;
        let code = context.compiled_code().and_then(|code| code.vcode.clone());
        Ok(code.unwrap_or_default())
    }

    /// Translates a function and shows what became of it, right or wrong.
    ///
    /// # Errors
    ///
    /// As for [`Compiler::compile`].
    pub fn clif(&self, request: &Request<'_>) -> Result<String, CompileError> {
        let mut func = Function::new();
        self.translate(request, &mut func, false)?;
        Ok(func.display().to_string())
    }

    fn translate(
        &self,
        request: &Request<'_>,
        func: &mut Function,
        check_stack: bool,
    ) -> Result<Translated, CompileError> {
        let config = self.target(request).frontend_config();
        let mut attempt = |inline| {
            *func = Function::new();
            let options = Options { check_stack, inline };
            let builder = &mut FunctionBuilderContext::new();
            let translated = translate(request, config, func, builder, options)?;
            liveness::check(func)?;
            Ok(translated)
        };
        // What is inlined may be too much, or have what is only interpreted.
        attempt(true).or_else(|_| attempt(false))
    }
}

/// Generates code for the function in `context`.
fn generate(
    context: &mut Context,
    target: &Target,
    translated: &Translated,
) -> Result<NativeCode, CompileError> {
    let compiled = context.compile(&**target, &mut ControlPlane::default());
    if let Err(e) = compiled {
        return Err(CompileError::Failed(format!("{:?}", e.inner)));
    }
    extract(context, translated)
}

impl Compiler for Jit {
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        let target = self.target(request);
        let mut context = Context::new();
        let translated = self.translate(request, &mut context.func, false)?;
        let code = generate(&mut context, target, &translated)?;
        let frame = frame_bytes(&context);
        if translated.checks_stack || frame <= UNCHECKED_FRAME_BYTES_MAX {
            return Ok(code);
        }
        // It calls nothing, but turned out to need a large frame.
        context.clear();
        let translated = self.translate(request, &mut context.func, true)?;
        generate(&mut context, target, &translated)
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl std::fmt::Debug for Jit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jit").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

fn frame_bytes(context: &Context) -> u32 {
    let layout = context.compiled_code().and_then(|code| code.buffer.frame_layout());
    layout.map_or(0, |layout| layout.frame_to_fp_offset)
}
