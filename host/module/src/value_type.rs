//! The types that inspection found, in the sandbox's terms: what an answer has to be is known before anything is compiled.

use iog_inspect::WitTypeFact as Fact;
use iog_sandbox::WitType;

/// The type that a fact is about.
#[must_use]
pub fn value_type(fact: &Fact) -> WitType {
    let boxed = |fact: &Fact| Box::new(value_type(fact));
    match fact {
        Fact::Bool => WitType::Bool,
        Fact::U8 => WitType::U8,
        Fact::U16 => WitType::U16,
        Fact::U32 => WitType::U32,
        Fact::U64 => WitType::U64,
        Fact::S8 => WitType::S8,
        Fact::S16 => WitType::S16,
        Fact::S32 => WitType::S32,
        Fact::S64 => WitType::S64,
        Fact::F32 => WitType::F32,
        Fact::F64 => WitType::F64,
        Fact::Char => WitType::Char,
        Fact::String => WitType::String,
        Fact::List { item } => WitType::List(boxed(item)),
        Fact::Option { some } => WitType::Option(boxed(some)),
        Fact::Result { ok, err } => WitType::Result { ok: ok.as_deref().map(boxed), err: err.as_deref().map(boxed) },
        Fact::Tuple { items } => WitType::Tuple(items.iter().map(value_type).collect()),
        Fact::Record { fields, .. } => {
            WitType::Record(fields.iter().map(|(name, ty)| (name.clone(), value_type(ty))).collect())
        }
        Fact::Variant { cases, .. } => {
            WitType::Variant(cases.iter().map(|(name, ty)| (name.clone(), ty.as_ref().map(value_type))).collect())
        }
        Fact::Enum { cases, .. } => WitType::Enum(cases.clone()),
        Fact::Flags { names, .. } => WitType::Flags(names.clone()),
        Fact::Named { of, .. } => value_type(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_inspect::InspectLimits;
    use iog_sandbox::{Sandbox, SandboxConfig};

    #[tokio::test]
    async fn inspection_and_sandbox_read_the_same_types() {
        let sandbox =
            Sandbox::new(&SandboxConfig { runs_max: 1, pooled: false, ..SandboxConfig::compiling_here() }).unwrap();
        for wasm in [
            include_bytes!("../../../modules/prebuilt/ip-traceback.wasm").as_slice(),
            include_bytes!("../../../modules/prebuilt/origin-check.wasm"),
            include_bytes!("../../../modules/prebuilt/dns-watch.wasm"),
        ] {
            let facts = iog_inspect::inspect(wasm, &InspectLimits::default()).unwrap();
            let module = sandbox.load(wasm).await.unwrap();
            for export in &facts.exports {
                let entry = module.entry(&export.name).unwrap();
                assert_eq!(export.result.as_ref().map(value_type), entry.result, "{}", export.name);
                let params: Vec<_> = export.params.iter().map(|(name, ty)| (name.clone(), value_type(ty))).collect();
                assert_eq!(params, entry.params, "{}", export.name);
            }
        }
    }
}
