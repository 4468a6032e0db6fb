/// Pictures for tests, made on the spot: nothing is read from disk, and the same call gives the same bytes.
package enum TestImages {}
