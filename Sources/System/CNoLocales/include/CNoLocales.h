// Nothing to call: see CNoLocales.c.
