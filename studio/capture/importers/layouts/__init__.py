"""How rows lie in a file: one file per layout. Every layout can go on behind a row without reading what came before."""
