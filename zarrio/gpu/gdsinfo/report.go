package gdsinfo

// A Verdict is how a file of the directory reaches the memory of the GPU.
type Verdict string

// An emulated driver gives each of them with "(emulated)" behind it, so that none is mistaken for what a machine does.
const (
	TrueGDS   Verdict = "true GDS"                   // straight into the GPU's memory, as cuFile's or nvidia-fs's counters prove
	CuFile    Verdict = "cuFile compat mode"         // cuFile read it, but by the host's memory
	KvikIO    Verdict = "kvikIO compat mode (POSIX)" // cuFile can't be used here: only read and copy is left
	NoGPU     Verdict = "no GPU"                     // none that CUDA can use
	WrongData Verdict = "wrong data"                 // a read reported success, and the GPU's memory held something else
	Unproved  Verdict = "not proved"                 // there seems to be a GPU, but nothing was read: the steps say why
)

// A Report is what Check found. Its JSON form is stable: keys are added, never renamed.
type Report struct {
	Verdict  Verdict `json:"verdict"`
	Emulated bool    `json:"emulated"` // the driver or cuFile is an emulation, whose verdict says nothing of the machine
	Dir      string  `json:"dir"`      // absolute, without symbolic links
	Facts    []Fact  `json:"facts"`
	GPUs     []GPU   `json:"gpus"`
	Steps    []Step  `json:"steps"` // in the order in which a person would mend them
	Proof    Proof   `json:"proof"`
}

// A Fact is one thing that the machine tells.
type Fact struct {
	Key    string `json:"key"`    // such as "driver.version"
	Value  string `json:"value"`  // "none" where it isn't there, "unreadable: " and the reason where it can't be read
	Source string `json:"source"` // the file, call or variable that tells it
}

// A GPU is one that is on the PCI bus, or that CUDA lists.
type GPU struct {
	PCI     string `json:"pci"`                          // as "0000:01:00.0"
	Name    string `json:"name"`                         // "" if neither the driver nor CUDA tells
	BAR1    int64  `json:"bar1_bytes"`                   // what of its memory others on the bus can see at once; 0 if unknown
	Ordinal *int   `json:"ordinal,omitempty"`            // CUDA's number, of the one GPU that was opened
	Compute string `json:"compute_capability,omitempty"` // as "8.6"
	RDMA    *bool  `json:"gpudirect_rdma,omitempty"`     // device attribute 116
	DMABuf  *bool  `json:"dma_buf,omitempty"`            // device attribute 124
}

// A Step is one condition of true GDS.
type Step struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Skipped bool   `json:"skipped,omitempty"` // it couldn't be looked at for want of an earlier one
	Found   string `json:"found"`
	Mend    string `json:"mend,omitempty"` // what to do, one sentence
}

// A Proof is what reading a file into the memory of the GPU showed.
type Proof struct {
	File     string    `json:"file,omitempty"`
	Bytes    int64     `json:"bytes,omitempty"`  // that were read and compared
	Equal    bool      `json:"equal"`            // the GPU's memory held the file's bytes
	How      string    `json:"how,omitempty"`    // "cuFileRead", or "read and copy" where cuFile can't be used
	Direct   bool      `json:"direct"`           // the file was opened with O_DIRECT
	Pinned   bool      `json:"registered"`       // the GPU's memory was registered with cuFile
	Counters []Counter `json:"counters"`         // what was counted during the read
	Strict   *bool     `json:"strict,omitempty"` // a read with cuFile's compat mode forbidden succeeded; nil if not tried
	Error    string    `json:"error,omitempty"`  // why there is no proof
}

// A Counter is by how much a counter rose during the proof's read.
type Counter struct {
	Name   string `json:"name"`
	Delta  int64  `json:"delta"`
	Source string `json:"source"`
}

// First returns the first step to mend, or nil if none is missing. A step that was skipped is never the first: an earlier one is.
func (r *Report) First() *Step {
	for i := range r.Steps {
		if s := &r.Steps[i]; !s.OK && !s.Skipped {
			return s
		}
	}
	return nil
}

// Fact returns the value of a key, or "" if the report doesn't hold it.
func (r *Report) Fact(key string) string {
	for _, f := range r.Facts {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}
