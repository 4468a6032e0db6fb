/// Images for tests, generated in memory: nothing is read from disk, and the same call returns the same bytes.
package enum TestImages {}
