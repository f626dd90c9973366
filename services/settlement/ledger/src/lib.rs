//! The posting rules of the books, without I/O.
