//! Reading a journal back.
