// No functions: see CNoLocales.c.
