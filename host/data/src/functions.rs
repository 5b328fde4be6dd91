//! The functions a query may call: the only ones the engine is given. All are deterministic; none touches anything but
//! its arguments. This crate's own are null where they have no value; `total` makes the engine's so.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_functions::{core, string, unicode};
use datafusion_functions_aggregate::{count, min_max, sum};

use crate::address::{address_text, network_of, parse_address, parse_prefix};
use crate::params::PREFIX_TYPE;
use crate::schema::ADDRESS_BYTES;

const ADDRESS: DataType = DataType::FixedSizeBinary(ADDRESS_BYTES);
/// The function that the planner turns into two comparisons where its prefix is a constant or a parameter.
pub(crate) const IP_IN: &str = "ip_in";
/// The function that makes texts of addresses.
pub(crate) const IP_TEXT: &str = "ip_text";

/// Scalar functions by the name under which a query calls them.
pub(crate) fn scalar_functions() -> HashMap<String, Arc<ScalarUDF>> {
    let own = [Kind::IpIn, Kind::IpPrefix, Kind::IpText, Kind::ToAddress, Kind::Abs];
    let mut all: HashMap<String, Arc<ScalarUDF>> =
        own.into_iter().map(|kind| (kind.name().to_owned(), Arc::new(ScalarUDF::from(Function::new(kind))))).collect();
    for (name, function) in [
        ("coalesce", core::coalesce()),
        ("nullif", core::nullif()),
        ("lower", string::lower()),
        ("upper", string::upper()),
        ("starts_with", string::starts_with()),
        ("length", unicode::character_length()),
        ("substr", unicode::substr()),
    ] {
        all.insert(name.to_owned(), function);
    }
    all
}

/// Aggregates by the name under which a query calls them.
pub(crate) fn aggregate_functions() -> HashMap<String, Arc<AggregateUDF>> {
    let all = [
        ("count", count::count_udaf()),
        ("sum", sum::sum_udaf()),
        ("min", min_max::min_udaf()),
        ("max", min_max::max_udaf()),
    ];
    all.into_iter().map(|(name, function)| (name.to_owned(), function)).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    IpIn,
    IpPrefix,
    IpText,
    ToAddress,
    Abs,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::IpIn => IP_IN,
            Self::IpPrefix => "ip_prefix",
            Self::IpText => IP_TEXT,
            Self::ToAddress => "to_address",
            Self::Abs => "abs",
        }
    }

    fn signature(self) -> Signature {
        let exact = TypeSignature::Exact;
        let integers = [DataType::Int64, DataType::UInt64, DataType::Int32, DataType::UInt32];
        let signatures = match self {
            Self::IpIn => vec![exact(vec![ADDRESS, DataType::Utf8]), exact(vec![ADDRESS, PREFIX_TYPE])],
            Self::IpPrefix => integers.into_iter().map(|ty| exact(vec![ADDRESS, ty])).collect(),
            Self::IpText => vec![exact(vec![ADDRESS])],
            Self::ToAddress => vec![exact(vec![DataType::Utf8])],
            Self::Abs => [DataType::Int64, DataType::UInt64, DataType::Float64].map(|ty| exact(vec![ty])).to_vec(),
        };
        Signature::one_of(signatures, Volatility::Immutable)
    }

    fn return_type(self, args: &[DataType]) -> DataType {
        match self {
            Self::IpIn => DataType::Boolean,
            Self::IpPrefix | Self::ToAddress => ADDRESS,
            Self::IpText => DataType::Utf8,
            Self::Abs => args.first().cloned().unwrap_or(DataType::Int64),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    kind: Kind,
    signature: Signature,
}

impl Function {
    fn new(kind: Kind) -> Self {
        Self { kind, signature: kind.signature() }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.kind.return_type(arg_types))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = args.args.into_iter().map(|arg| arg.into_array(if scalar { 1 } else { args.number_rows }));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let result = match (self.kind, arrays.as_slice()) {
            (Kind::IpIn, [address, prefix]) => ip_in(address, prefix)?,
            (Kind::IpPrefix, [address, bits]) => ip_prefix(address, bits)?,
            (Kind::IpText, [address]) => ip_text(address),
            (Kind::ToAddress, [text]) => to_address(text),
            (Kind::Abs, [value]) => abs(value),
            _ => return Err(DataFusionError::Internal(format!("`{}` got {} arguments", self.name(), arrays.len()))),
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The address of a row; `None` for null.
fn address_at(array: &dyn Array, row: usize) -> Option<[u8; 16]> {
    if array.is_null(row) {
        return None;
    }
    array.as_fixed_size_binary().value(row).try_into().ok()
}

fn text_at(array: &dyn Array, row: usize) -> Option<&str> {
    (!array.is_null(row)).then(|| array.as_string::<i32>().value(row))
}

fn ip_in(addresses: &ArrayRef, prefixes: &ArrayRef) -> Result<ArrayRef> {
    if prefixes.data_type() != &DataType::Utf8 {
        return Err(DataFusionError::Internal("a prefix parameter was not resolved".into()));
    }
    let mut out = BooleanBuilder::with_capacity(addresses.len());
    for row in 0..addresses.len() {
        let prefix = text_at(prefixes, row).and_then(|text| parse_prefix(text).ok());
        out.append_option(address_at(addresses, row).zip(prefix).map(|(address, prefix)| prefix.contains(&address)));
    }
    Ok(Arc::new(out.finish()))
}

fn ip_prefix(addresses: &ArrayRef, bits: &ArrayRef) -> Result<ArrayRef> {
    let bits = arrow_cast::cast(bits, &DataType::Int64)?;
    let bits = bits.as_primitive::<Int64Type>();
    let addresses = (0..addresses.len()).map(|row| {
        let address = address_at(addresses, row).filter(|_| !bits.is_null(row))?;
        network_of(&address, bits.value(row))
    });
    Ok(address_array(addresses))
}

fn address_array(addresses: impl Iterator<Item = Option<[u8; 16]>>) -> ArrayRef {
    let mut out = FixedSizeBinaryBuilder::with_capacity(addresses.size_hint().0, ADDRESS_BYTES);
    for address in addresses {
        match address {
            Some(address) => out.append_value(address).expect("an address has the builder's width"),
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

fn ip_text(addresses: &ArrayRef) -> ArrayRef {
    let mut out = StringBuilder::new();
    for row in 0..addresses.len() {
        out.append_option(address_at(addresses, row).map(|address| address_text(&address)));
    }
    Arc::new(out.finish())
}

fn to_address(texts: &ArrayRef) -> ArrayRef {
    address_array((0..texts.len()).map(|row| text_at(texts, row).and_then(parse_address)))
}

fn abs(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Int64 => {
            let absolute = values.as_primitive::<Int64Type>().iter().map(|value| value.and_then(i64::checked_abs));
            Arc::new(absolute.collect::<Int64Array>())
        }
        DataType::Float64 => Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::abs)),
        _ => Arc::clone(values),
    }
}
