//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"strings"
)

// Properties is what the library says of itself and of the kernel module nvidia_fs.
type Properties struct {
	NVFSMajor, NVFSMinor uint32 // version of nvidia_fs: 0.0 where the library doesn't use it
	Supported            Supported
	Control              Control
	Features             Features
	PollThresholdKB      uint64
	MaxDirectIOKB        uint64 // of one request to nvidia_fs
	MaxDeviceCacheKB     uint32 // GPU memory for bounce buffers, on each GPU
	PerBufferCacheKB     uint32 // one bounce buffer
	MaxPinnedKB          uint32 // GPU memory that can be registered
	MaxBatch             uint32 // reads of one batch
	BatchTimeoutMS       uint32
}

// A rawProperties is a CUfileDrvProps_t.
type rawProperties struct {
	major, minor                                         uint32
	pollThreshold, maxDirectIO                           uint64
	supported, control, features                         uint32
	deviceCache, bufferCache, pinned, batchIO, batchTime uint32
}

// Properties asks the library.
func (d *Driver) Properties() (Properties, error) {
	var raw rawProperties
	err := d.ask(func() error { return check("cuFileDriverGetProperties", d.lib.getProperties(&raw)) })
	if err != nil {
		return Properties{}, err
	}
	return Properties{
		NVFSMajor: raw.major, NVFSMinor: raw.minor,
		Supported: Supported(raw.supported), Control: Control(raw.control), Features: Features(raw.features),
		PollThresholdKB: raw.pollThreshold, MaxDirectIOKB: raw.maxDirectIO,
		MaxDeviceCacheKB: raw.deviceCache, PerBufferCacheKB: raw.bufferCache, MaxPinnedKB: raw.pinned,
		MaxBatch: raw.batchIO, BatchTimeoutMS: raw.batchTime,
	}, nil
}

// ask calls the library on the device's thread, unless the driver is closed.
func (d *Driver) ask(f func() error) error {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return errClosed
	}
	return d.dev.Do(f)
}

// BARSizeKB returns the size of a GPU's BAR1 window in KiB, as the library sees it, or ErrNoParameter before version 1.15.
func (d *Driver) BARSizeKB(ordinal int) (int64, error) {
	if d.lib.barSize == nil {
		return 0, ErrNoParameter
	}
	var n uintptr
	err := d.ask(func() error { return check("cuFileGetBARSizeInKB", d.lib.barSize(int32(ordinal), &n)) })
	return int64(n), err
}

// Supported is the set of file systems and devices that the library can read without a copy through host memory.
type Supported uint32

// Control is the set of modes that are switched on.
type Control uint32

// Features is the set of what the library can do.
type Features uint32

// Bits of the sets.
const (
	SupportsLustre    Supported = 1 << 0
	SupportsWekaFS    Supported = 1 << 1
	SupportsNFS       Supported = 1 << 2
	SupportsGPFS      Supported = 1 << 3
	SupportsNVMe      Supported = 1 << 4
	SupportsNVMeoF    Supported = 1 << 5
	SupportsSCSI      Supported = 1 << 6
	SupportsScaleFlux Supported = 1 << 7
	SupportsNVMesh    Supported = 1 << 8
	SupportsBeeGFS    Supported = 1 << 9
	SupportsNVMeP2P   Supported = 1 << 11
	SupportsScateFS   Supported = 1 << 12
	SupportsVirtioFS  Supported = 1 << 13
	SupportsPanFS     Supported = 1 << 14

	ControlPoll         Control = 1 << 0
	ControlAllowCompat  Control = 1 << 1
	ControlVanillaPOSIX Control = 1 << 2
	ControlFallbackIO   Control = 1 << 4

	FeatureDynamicRouting Features = 1 << 0
	FeatureBatch          Features = 1 << 1
	FeatureStreams        Features = 1 << 2
	FeatureParallelIO     Features = 1 << 3
	FeatureP2P            Features = 1 << 4
)

var (
	supportedNames = [32]string{"Lustre", "WekaFS", "NFS", "GPFS", "NVMe", "NVMeOF", "SCSI", "ScaleFlux CSD", "NVMesh", "BeeGFS", 11: "NVMe P2PDMA", 12: "ScateFS", 13: "VirtioFS", 14: "PanFS"}
	controlNames   = [32]string{"poll", "allow compat", "vanilla POSIX", 4: "fallback I/O"}
	featureNames   = [32]string{"dynamic routing", "batch I/O", "streams", "parallel I/O", "P2P"}
)

// Names returns the names of the members.
func (s Supported) Names() []string { return bitNames(uint32(s), &supportedNames) }

// Names returns the names of the members.
func (c Control) Names() []string { return bitNames(uint32(c), &controlNames) }

// Names returns the names of the members.
func (f Features) Names() []string { return bitNames(uint32(f), &featureNames) }

func (s Supported) String() string { return strings.Join(s.Names(), ", ") }
func (c Control) String() string   { return strings.Join(c.Names(), ", ") }
func (f Features) String() string  { return strings.Join(f.Names(), ", ") }

// bitNames names the bits that are set; a bit without a name is left out.
func bitNames(bits uint32, names *[32]string) []string {
	var set []string
	for i, name := range names {
		if bits&(1<<i) != 0 && name != "" {
			set = append(set, name)
		}
	}
	return set
}

// A SizeParameter, a BoolParameter and a StringParameter are settings of the library; their String is the name that
// cufile.json gives them.
type (
	SizeParameter   int32
	BoolParameter   int32
	StringParameter int32
)

// Settings, in the order of cufile.h.
const (
	ProfileStats SizeParameter = iota
	MaxIOQueueDepth
	MaxIOThreads
	MinIOThresholdKB
	MaxRequestParallelism
	MaxDirectIOKB
	MaxDeviceCacheKB
	PerBufferCacheKB
	MaxPinnedKB
	IOBatchSize
	PollThresholdKB
	BatchTimeoutMS
	SizeParameters // how many there are
)

const (
	UsePollMode BoolParameter = iota
	AllowCompatMode
	ForceCompatMode
	APICheckAggressive
	ParallelIO
	ProfileNVTX
	AllowSystemMemory
	UsePCIP2PDMA
	PreferIOUring
	ForceODirect
	SkipTopologyDetection
	StreamMemopsBypass
	POSIXIOMode
	GDSFallbackIO
	BoolParameters // how many there are
)

const (
	LoggingLevel StringParameter = iota
	LogFilePath
	LogFolder
	StringParameters // how many there are
)

var (
	sizeNames = [SizeParameters]string{"profile.cufile_stats", "execution.max_io_queue_depth", "execution.max_io_threads", "execution.min_io_threshold_size_kb",
		"execution.max_request_parallelism", "properties.max_direct_io_size_kb", "properties.max_device_cache_size_kb", "properties.per_buffer_cache_size_kb",
		"properties.max_device_pinned_mem_size_kb", "properties.io_batchsize", "properties.poll_mode_max_size_kb", "properties.max_batch_io_timeout_msecs"}
	boolNames = [BoolParameters]string{"properties.use_poll_mode", "properties.allow_compat_mode", "properties.force_compat_mode", "miscellaneous.api_check_aggressive",
		"execution.parallel_io", "profile.nvtx", "properties.allow_system_memory", "properties.use_pci_p2pdma", "properties.prefer_iouring", "properties.force_odirect_mode",
		"miscellaneous.skip_topology_detection", "miscellaneous.stream_memops_bypass", "properties.vanilla_posix_io_mode", "properties.gds_fallback_io"}
	stringNames = [StringParameters]string{"logging.level", "CUFILE_LOGFILE_PATH", "logging.dir"}
)

func (p SizeParameter) String() string   { return parameterName(sizeNames[:], int(p)) }
func (p BoolParameter) String() string   { return parameterName(boolNames[:], int(p)) }
func (p StringParameter) String() string { return parameterName(stringNames[:], int(p)) }

func parameterName(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown parameter"
	}
	return names[i]
}

// Size returns a setting, or ErrNoParameter where this version doesn't have it.
func (d *Driver) Size(p SizeParameter) (uint64, error) {
	if d.lib.getSize == nil {
		return 0, ErrNoParameter
	}
	var v uintptr
	err := d.parameter("cuFileGetParameterSizeT", func() uint64 { return d.lib.getSize(int32(p), &v) })
	return uint64(v), err
}

// Bool returns a setting, or ErrNoParameter where this version doesn't have it.
func (d *Driver) Bool(p BoolParameter) (bool, error) {
	if d.lib.getBool == nil {
		return false, ErrNoParameter
	}
	var v uint8
	err := d.parameter("cuFileGetParameterBool", func() uint64 { return d.lib.getBool(int32(p), &v) })
	return v != 0, err
}

// Text returns a setting, or ErrNoParameter where this version doesn't have it.
func (d *Driver) Text(p StringParameter) (string, error) {
	if d.lib.getString == nil {
		return "", ErrNoParameter
	}
	var v [4096]byte
	err := d.parameter("cuFileGetParameterString", func() uint64 { return d.lib.getString(int32(p), &v[0], int32(len(v))) })
	text, _, _ := strings.Cut(string(v[:]), "\x00")
	return text, err
}

func (d *Driver) parameter(call string, get func() uint64) error {
	err := d.ask(func() error { return check(call, get()) })
	var e *Error
	if errors.As(err, &e) && e.Code == InvalidValue {
		return ErrNoParameter
	}
	return err
}
