// Package harness is what the benchmarks of the module's root do. It is imported by tests: the root's, and its own, which run
// their test binary's benchmarks again in processes of their own.
//
// [Main] is for TestMain. It reads the flags, finds the stores, opens the GPU if the engine needs one, and prints the lines
// above the rows. [Epoch], [Read], [Chunk], [Decode] and, with the tag gds, [Raw] are the benchmarks. What only builds with
// GPU engines have is behind the interface device.
package harness
