//! The functions of CEL's encoders extension: `base64.encode` and `base64.decode`.

use data_encoding::{BASE64, BASE64_NOPAD};

use crate::value::View;

use super::Cause;
use super::compute::Memory;
use super::eval::Outcome;

/// `base64.encode(bytes)`.
pub(super) fn encoded<'a>(value: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    let View::Bytes(bytes) = value else { return Err(Cause::WrongType) };
    // Four bytes for each three, and as many for what is left.
    let mut text = memory.bytes(bytes.len().div_ceil(3).saturating_mul(4))?;
    BASE64.encode_mut(bytes, &mut text);
    std::str::from_utf8(text.into_bump_slice()).map(View::Str).map_err(|_| Cause::Internal)
}

/// `base64.decode(text)`, with or without its padding.
pub(super) fn decoded<'a>(value: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    let View::Str(text) = value else { return Err(Cause::WrongType) };
    let encoding = if text.ends_with('=') { &BASE64 } else { &BASE64_NOPAD };
    let length = encoding.decode_len(text.len()).map_err(|_| Cause::InvalidArgument)?;
    let mut bytes = memory.bytes(length)?;
    let written = encoding.decode_mut(text.as_bytes(), &mut bytes).map_err(|_| Cause::InvalidArgument)?;
    bytes.truncate(written);
    Ok(View::Bytes(bytes.into_bump_slice()))
}
