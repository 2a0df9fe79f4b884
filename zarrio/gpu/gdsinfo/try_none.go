//go:build !(gds && linux && (amd64 || arm64))

package gdsinfo

import "context"

// try is for builds that can't call CUDA.
func try(context.Context, sample, Options) tried {
	return tried{cuda: errUntagged, device: errUntagged, cufile: errUntagged, proof: Proof{Error: errUntagged.Error()}}
}
