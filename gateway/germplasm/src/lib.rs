//! Accessions by their passport: MCPD v2.1, partial dates, and what is wrong with a row. Pure.
