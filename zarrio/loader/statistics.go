package loader

import "zarrbench/internal/statsfile"

// ReadStatistics reads the statistics of channels from a file that tools/zarrinfo -stats wrote, by the
// channels' names. Channels without values are left out.
func ReadStatistics(name string) (map[string]Affine, error) {
	f, err := statsfile.ReadFile(name)
	if err != nil {
		return nil, err
	}
	stats := map[string]Affine{}
	for _, c := range f.Channels {
		if c.Count > 0 {
			stats[c.Name] = Affine{Mean: float64(c.Mean), Std: float64(c.Std)}
		}
	}
	return stats, nil
}
