//! stub
use super::*; 
/// x
#[derive(Debug)] pub struct Program { r: Reads }
#[allow(missing_docs)]
impl Program { pub fn reads(&self) -> &Reads { &self.r } pub fn truth(&self, _s: &Scope<'_>) -> Truth { Truth::False }
 pub fn explain(&self, _s: &Scope<'_>, _f: &mut dyn FnMut(std::ops::Range<usize>, Result<View<'_>, Cause>)) {} pub fn shown(&self, _v: View<'_>) -> String { String::new() } }
