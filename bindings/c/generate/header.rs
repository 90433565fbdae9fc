//! Writes `include/fallgate.h` to standard output, made from the source of this crate: `make generate`.
//!
//! It lives beside the library and not in a build script, so that who builds the library needs no generator.

use std::path::Path;
use std::process::ExitCode;

use cbindgen::{
    Braces, Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, FunctionConfig, Language, Style,
};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config {
        language: Language::C,
        cpp_compat: true,
        style: Style::Both,
        usize_is_size_t: true,
        header: Some(include_str!("head.h").trim_end().to_owned()),
        include_guard: Some("FALLGATE_H".to_owned()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        after_includes: Some(format!("\n{}", include_str!("macros.h").trim_end())),
        documentation_style: DocumentationStyle::C99,
        braces: Braces::SameLine,
        line_length: 120,
        tab_width: 4,
        enumeration: EnumConfig { prefix_with_name: false, ..EnumConfig::default() },
        // No signature names it: what C passes in is a number, which may be any.
        export: ExportConfig { include: vec!["fallgate_value_kind".to_owned()], ..ExportConfig::default() },
        function: FunctionConfig { must_use: Some("FALLGATE_MUST_USE".to_owned()), ..FunctionConfig::default() },
        ..Config::default()
    };
    // In reading order.
    let sources = ["status", "text", "config", "now", "request", "decision", "engine", "trust", "operate", "decide"];
    let builder = sources.iter().fold(Builder::new().with_config(config), |builder, name| {
        builder.with_src(folder.join("src").join(name).with_extension("rs"))
    });
    match builder.generate() {
        Ok(bindings) => {
            bindings.write(std::io::stdout());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the header cannot be made: {error}");
            ExitCode::FAILURE
        }
    }
}
